"""A network from a bundle: the same probabilities as torch, any batch, and clear refusals."""

from __future__ import annotations

import importlib
import io
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
import torch
from PIL import Image
from torch import nn

from striate import ops, reference
from striate.bundle import Bundle, write_bundle
from striate.engine import Network, Prediction, load
from striate.engine import network as network_file
from striate.engine import threads as threads_file
from striate.errors import ArgumentError, BundleError, GraphError, ImageError, ShapeError, UnsupportedError
from striate.graph.graph import Graph, Node

SIZE = (12, 10)
LABELS = ("bag", "coat", "dress", "shirt")


def torch_network() -> nn.Sequential:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.GELU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1, groups=2),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(16, 4),
    )
    with torch.no_grad():
        for norm in (module[1], module[5]):
            for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                tensor.copy_(torch.rand(tensor.shape) + 0.5)
        module[10].weight.mul_(4)
    return module.eval()


WORDS = [
    ops.Conv2d(3, 8, 3, padding=1, bias=False),
    ops.BatchNorm(8),
    ops.GELU(),
    ops.MaxPool2d(2),
    ops.Conv2d(8, 16, 3, padding=1, groups=2),
    ops.BatchNorm(16),
    ops.ReLU(),
    ops.AdaptiveAvgPool2d(1),
    ops.Flatten(),
    ops.Dropout(),
    ops.Linear(16, 4),
]


def bundle(*more: ops.Op, shape: tuple[int | str, ...] = ("N", 3, *SIZE)) -> Bundle:
    nodes, previous = [], "image"
    for index, op in enumerate([*WORDS, *more]):
        weights = {role: f"{index}.{role}" for role in op.roles}
        nodes.append(Node(str(index), op, (previous,), weights))
        previous = str(index)
    weights = {name: tensor.numpy() for name, tensor in torch_network().state_dict().items()}
    preprocessing = {
        "image_size": list(SIZE),
        "channels": 3,
        "mean": [0.4, 0.5, 0.6],
        "std": [0.2, 0.25, 0.3],
    }
    graph = Graph({"image": shape}, tuple(nodes), (previous,))
    return Bundle(graph, weights, LABELS, preprocessing, {"model": "test"})


@pytest.fixture(scope="module")
def net() -> Network:
    return Network(bundle())


def photographs(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3), dtype=np.uint8)


def torch_logits(pixels: np.ndarray) -> torch.Tensor:
    x = torch.tensor(pixels).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ([0.4, 0.5, 0.6], [0.2, 0.25, 0.3]))
    with torch.no_grad():
        return torch_network()((x - mean) / std)


def test_probabilities_are_torchs(net: Network) -> None:
    pixels = photographs(9)
    expected = torch_logits(pixels)
    np.testing.assert_allclose(net(pixels), expected, atol=1e-4)
    shares = net.probabilities(pixels)
    np.testing.assert_allclose(shares, expected.softmax(1), atol=1e-5)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    assert shares.dtype == np.float32 and shares.max() > 0.5  # a network that says something


def test_float_input_is_the_normalised_one(net: Network) -> None:
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        x = rng.normal(size=(3, 3, *SIZE)).astype(dtype)
        with torch.no_grad():
            expected = torch_network()(torch.tensor(x).float())
        assert net(x).dtype == np.float32
        np.testing.assert_allclose(net(x), expected, atol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 9])
def test_any_batch_size(net: Network, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(network_file, "VALUES_AT_ONCE", 4 * 360)
    pixels = photographs(count)
    logits = net(pixels)
    assert logits.shape == (count, 4) and logits.dtype == np.float32
    alone = [net(pixels[index : index + 1])[0] for index in range(count)]
    np.testing.assert_allclose(logits, np.reshape(alone, (count, 4)), atol=1e-5)


def test_a_softmax_in_the_network_is_not_applied_twice() -> None:
    pixels = photographs(3)
    shares = Network(bundle(ops.Softmax())).probabilities(pixels)
    np.testing.assert_allclose(shares, torch_logits(pixels).softmax(1), atol=1e-5)


def encoded(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_predict_names_what_it_sees(net: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_file, "VALUES_AT_ONCE", 2 * 360)
    pixels = photographs(3)
    expected = torch_logits(pixels).softmax(1).numpy()
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(pixels[0]))
    found = net.predict([path, str(path), encoded(pixels[2])], top=2)
    assert [p.key for p in found] == [str(path), str(path), "image 3"]
    assert found[0] == replace(found[1], key=str(path))
    for prediction, share in zip((found[0], found[2]), expected[[0, 2]], strict=True):
        order = np.argsort(-share)
        assert prediction.label == LABELS[order[0]] == prediction.top[0][0]
        assert [label for label, _ in prediction.top] == [LABELS[k] for k in order[:2]]
        np.testing.assert_allclose([p for _, p in prediction.top], share[order[:2]], atol=1e-5)
        assert prediction.probability == prediction.top[0][1]
    assert net.predict(path)[0].label == found[0].label
    assert len(net.predict(path, top=99)[0].top) == 4
    assert net.predict([]) == []
    assert isinstance(net.predict(encoded(pixels[1]))[0], Prediction)


def test_predict_refuses(net: Network, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(ImageError, match=r"text\.jpg holds no image"):
        net.predict([tmp_path / "text.jpg"])
    with pytest.raises(ImageError, match="image 2"):
        net.predict([encoded(photographs(1)[0]), b"no image"])
    for top in (0, True, 2.0):
        with pytest.raises(ArgumentError, match=f"top must be an integer of at least 1, got {top}"):
            net.predict([], top=top)  # type: ignore[arg-type]


def test_an_answer_that_is_no_number_is_not_given() -> None:
    large = bundle()
    weights = {**large.weights, "10.weight": np.full((4, 16), 3e38, np.float32)}
    with pytest.raises(BundleError, match="must answer with numbers, it does not for image 1"):
        Network(replace(large, weights=weights)).predict([encoded(image) for image in photographs(2)])


def test_a_network_without_labels_answers_arrays_only() -> None:
    net = Network(replace(bundle(), labels=(), preprocessing={}))
    assert net(np.zeros((2, 3, *SIZE), np.float32)).shape == (2, 4)
    with pytest.raises(ArgumentError, match="predict needs a bundle with labels and preprocessing"):
        net.predict([b""])
    with pytest.raises(ArgumentError, match="images must be float32, got uint8"):
        net(photographs(1))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: np.zeros((1, 3, 12, 11), np.float32), ShapeError, r"float images .* \(N, 3, 12, 10\), got"),
        (lambda: np.zeros((3, *SIZE), np.float32), ShapeError, r"must have shape \(N, 3, 12, 10\)"),
        (
            lambda: np.zeros((1, *SIZE, 1), np.uint8),
            ShapeError,
            r"uint8 images .* \(N, 12, 10, 3\) or \(N, 3, 12, 10\), got",
        ),
        (lambda: np.zeros((1, 3, 10, 12), np.uint8), ShapeError, "or give them or their files to predict"),
        (lambda: np.zeros((1, 3, *SIZE), np.int64), ArgumentError, "float32 or uint8, got int64"),
        (lambda: np.zeros((1, 3, *SIZE), bool), ArgumentError, "float32 or uint8, got bool"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    net: Network, make: Callable[[], np.ndarray], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        net(make())


def test_networks_that_do_not_fit_are_refused() -> None:
    two = Graph({"a": ("N", 3), "b": ("N", 3)}, (Node("sum", ops.Add(), ("a", "b")),), ("sum",))
    with pytest.raises(UnsupportedError, match="one input, got 2"):
        Network(Bundle(two, {}, (), {}, {}))
    image = Graph({"x": ("N", 3, 4, 4)}, (Node("relu", ops.ReLU(), ("x",)),), ("relu",))
    maps = Network(Bundle(image, {}, (), {}, {}))
    assert maps(np.zeros((2, 3, 4, 4), np.float32)).shape == (2, 3, 4, 4)
    with pytest.raises(ArgumentError, match=r"one row of outputs for each image, this network gives \(1, 3"):
        maps.probabilities(np.zeros((1, 3, 4, 4), np.float32))
    flat = Graph({"x": ("N", 3)}, (Node("abs", ops.Absolute(), ("x",)),), ("abs",))
    with pytest.raises(BundleError, match="one row of 2 outputs"):
        Network(Bundle(flat, {}, ("a", "b"), {}, {}))(np.zeros((1, 3), np.float32))


def test_open_sizes_take_any_image() -> None:
    net = Network(replace(bundle(shape=("N", 3, "H", "W")), preprocessing={}))
    assert net(np.zeros((2, 3, 20, 31), np.float32)).shape == (2, 4)


def test_what_a_network_says_about_itself(net: Network) -> None:
    assert net.classes == LABELS
    assert net.card == {"model": "test"}
    assert repr(net).startswith("Network(input 3 x 12 x 10, 4 classes, ") and repr(net).endswith("fp32)")


def test_an_answer_may_be_the_mean_over_the_mirror_image(net: Network) -> None:
    mirrored, pixels = Network(replace(bundle(), mirror=True)), photographs(3)
    expected = (torch_logits(pixels) + torch_logits(pixels[:, :, ::-1].copy())) / 2
    np.testing.assert_allclose(mirrored(pixels), expected, atol=1e-5)
    np.testing.assert_allclose(mirrored.probabilities(pixels), expected.softmax(1), atol=1e-5)
    np.testing.assert_array_equal(Network(replace(bundle(), mirror=True), mirror=False)(pixels), net(pixels))
    np.testing.assert_array_equal(Network(bundle(), mirror=True)(pixels), mirrored(pixels))
    assert "image and mirror image" in repr(mirrored)
    for wrong in ("yes", 1):
        with pytest.raises(ArgumentError, match="mirror must be True, False or None"):
            Network(bundle(), mirror=wrong)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="not True without preprocessing"):
        Network(replace(bundle(), labels=(), preprocessing={}), mirror=True)


# --- load -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "bundle"
    write_bundle(path, bundle())
    return path


def test_load_gives_the_same_network(net: Network, folder: Path) -> None:
    pixels = photographs(2)
    np.testing.assert_array_equal(load(str(folder))(pixels), net(pixels))


def test_load_refuses(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"net\.onnx must be an existing ONNX file"):
        load(tmp_path / "net.onnx")
    with pytest.raises(BundleError, match="is not a bundle"):
        load(tmp_path / "nothing")
    with pytest.raises(ArgumentError, match="precision must be one of fp32, bf16, got 'int8'"):
        load(folder, precision="int8")
    for threads in (0, -1, 1.5, True, "2"):
        with pytest.raises(ArgumentError, match=f"threads must be an integer of at least 1, got {threads!r}"):
            load(folder, threads=threads)  # type: ignore[arg-type]


def test_more_threads_than_processors_are_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads_file, "processors", lambda: 2)
    x = photographs(2)
    net = load(folder, threads=1_000)
    before = threading.active_count()
    np.testing.assert_array_equal(net(x), load(folder, threads=2)(x))
    assert threading.active_count() <= before + 2  # one worker for each of the two networks
    assert "2 threads of 1,000 asked for, one for each usable processor; the maps" in str(net.plan())
    assert ", 2 threads; the maps" in str(load(folder, threads=2).plan())
    assert ", 1 thread; the maps" in str(load(folder, threads=1).plan())


def test_threads_limit_numpys_products(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[int]] = []
    original = reference.run

    def watched(*arguments, **options):  # type: ignore[no-untyped-def]
        blas = threadpoolctl.ThreadpoolController().select(user_api="blas").info()
        seen.append({library["num_threads"] for library in blas})
        return original(*arguments, **options)

    monkeypatch.setattr(reference, "run", watched)
    monkeypatch.setenv("STRIATE_ENGINE", "reference")
    load(folder, threads=1)(photographs(1))
    assert seen == [{1}]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_call_like_the_last_one_is_answered_alike(threads: int) -> None:
    """It takes a shorter way."""
    net = Network(bundle(), threads=threads)
    x = np.random.default_rng(0).standard_normal((5, 3, *SIZE)).astype(np.float32)
    first = net(x[:2])
    assert net._again is not None
    second = net(x[:2])
    np.testing.assert_array_equal(second, first)
    second[:] = 0  # whoever gets an answer may write into it
    np.testing.assert_array_equal(net(x[:2]), first)
    np.testing.assert_array_equal(net(x[:2][::-1]), net(x[[1, 0]]))
    np.testing.assert_array_equal(net(x)[:1], net(x[:1]))
    np.testing.assert_array_equal(net(x[:2].astype(np.float64)), first)
    assert net(x[:0]).shape == (0, 4)
    net(x[:2])
    with pytest.raises(ShapeError):
        net(x[:2, :, :5])


def test_threads_do_not_need_the_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = importlib.import_module

    def missing(name: str, package: str | None = None) -> object:
        if name == "threadpoolctl":
            raise ImportError(name)
        return original(name, package)

    monkeypatch.setattr(importlib, "import_module", missing)
    np.testing.assert_array_equal(load(folder, threads=2)(photographs(2)), load(folder)(photographs(2)))


# --- without torch ----------------------------------------------------------------------------------------

PREDICT = """
import sys
import threading
{first}
from striate.engine import load
net = load(sys.argv[1])
assert net.predict([sys.argv[2]], top=1)[0].label in net.classes
sys.exit(3 if "torch" in sys.modules else 0)
"""


def predict_in_a_new_process(folder: Path, image: Path, first: str) -> int:
    image.write_bytes(encoded(photographs(1)[0]))
    code = PREDICT.format(first=first)
    return subprocess.run([sys.executable, "-c", code, str(folder), str(image)], check=False).returncode


def test_a_prediction_does_not_import_torch(folder: Path, tmp_path: Path) -> None:
    assert predict_in_a_new_process(folder, tmp_path / "a.png", "") == 0


def test_the_test_above_can_fail(folder: Path, tmp_path: Path) -> None:
    assert predict_in_a_new_process(folder, tmp_path / "a.png", "import torch") == 3
