"""Images of bytes go straight into the map that the first layer reads, as NumPy would normalise them."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from engine_world import chain, random_weights
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from striate import ops
from striate.bundle import Bundle, write_bundle
from striate.data.preprocess import Preprocessing
from striate.engine import Network, load
from striate.engine import program as program_file
from striate.engine.choose import Part, Settings
from striate.engine.compiled import OutOfBoundsError
from striate.engine.kernels.bytes import Bytes
from striate.engine.kernels.frame import Frame
from striate.engine.layout import Layout
from striate.engine.machine_code import assembly
from striate.engine.plan import make_plan
from striate.engine.program import Program
from striate.engine.scaling import Scaling
from striate.engine.stage import Value
from striate.engine.steps import Plan, Step
from striate.engine.target import LEVELS, Target, host, usable
from striate.errors import ArgumentError, ShapeError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def bundle(*words: ops.Op, shape: tuple[int, ...], labels: tuple[str, ...] = ()) -> Bundle:
    channels, *size = shape
    how = Preprocessing((size[0], size[1]), channels, mean=MEAN[:channels], std=STD[:channels])
    graph = chain(*words, shape=shape)
    return Bundle(graph, random_weights(graph), labels, how.to_json(), {})


def pixels_for(network: Bundle, images: int) -> np.ndarray:
    size, channels = network.preprocessing["image_size"], network.preprocessing["channels"]
    found = np.random.default_rng(0).integers(0, 256, (images, *size, channels), np.uint8)
    found[:, 0, 0] = 0
    found[:, -1, -1] = 255
    return found


def normalised(network: Bundle, pixels: np.ndarray) -> np.ndarray:
    return Preprocessing.from_json(network.preprocessing).normalise(pixels)


def alone(layout: Layout, scaling: Scaling, target: Target) -> Program:
    """A program whose output is its input; nothing runs but what fills it, and its frame."""
    dims = (layout.channels, layout.height, layout.width)
    step = Step(Part(Frame(layout), {"target": "x"}), ("frame",))
    reads = {last: Part(Bytes(layout, last, scaling), {"target": "x"}) for last in (True, False)}
    where = {"x": Value("x", dims, dims)}, {"x": layout}, {"x": "x"}, {"x": layout.size}, {"x": 0}
    return Program(Plan((step,), *where, layout.size, {}, ("x",), ("x",), reads), target, 2)


@pytest.mark.parametrize("level", usable())
@settings(max_examples=6, deadline=None)
@given(
    channels=st.sampled_from([1, 2, 3, 5, 9, 17]),
    size=st.tuples(st.integers(1, 9), st.integers(1, 40)),
    images=st.integers(1, 3),
    frame=st.tuples(*[st.integers(0, 2)] * 4),
    planar=st.booleans(),
    last=st.booleans(),
)
def test_every_value_is_numpys_and_the_frame_is_zero(
    level: str,
    channels: int,
    size: tuple[int, int],
    images: int,
    frame: tuple[int, int, int, int],
    planar: bool,
    last: bool,
) -> None:
    target, rng = LEVELS[level], np.random.default_rng(channels)
    numbers = (tuple(rng.standard_normal(channels).astype(np.float32).tolist()) for _ in range(2))
    scaling, layout = Scaling(*numbers), Layout(channels, *size, 1 if planar else target.lanes, frame)
    program = alone(layout, scaling, target)
    x = rng.integers(0, 256, (images, channels, *size), np.uint8)
    lying = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if last else x
    (found,) = program({"x": lying}, ("x",))
    np.testing.assert_array_equal(found, scaling(x))
    whole = program.buffers.arena["x"].reshape(images, layout.size)
    inside = layout.view(whole.ravel())
    assert not inside[:, -1, ..., channels - (layout.blocks - 1) * layout.lanes :].any()
    inside[:] = 0
    assert not whole.any()


NETWORKS = {
    "first layer by Winograd": ((ops.Conv2d(3, 16, 7, 2, 3), ops.ReLU()), (3, 38, 34)),
    "first layer as a plain sum": ((ops.Conv2d(1, 6, 5, padding=2), ops.Tanh()), (1, 28, 28)),
    "nothing reads rows": ((ops.Flatten(), ops.Linear(3 * 5 * 7, 4)), (3, 5, 7)),
    "a first word that NumPy runs": ((ops.Softmax(2), ops.Conv2d(3, 4, 3, padding=1)), (3, 9, 11)),
    "no word that is compiled": ((ops.Softmax(2),), (3, 9, 11)),
    "the input itself": ((ops.Identity(),), (3, 6, 6)),
    "reflected at the edge": ((ops.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),), (3, 9, 8)),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("threads", [1, 2])
def test_the_answer_is_that_for_floats(name: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_file, "WORTH_SHARING", 0)
    words, shape = NETWORKS[name]
    network = bundle(*words, shape=shape)
    net, pixels = Network(network, threads=threads), pixels_for(network, 3)
    expected = net(normalised(network, pixels))
    np.testing.assert_array_equal(net(pixels), expected)
    np.testing.assert_array_equal(net(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))), expected)
    np.testing.assert_array_equal(net(normalised(network, pixels)), expected)  # either way, in any order
    np.testing.assert_array_equal(net(pixels[:1]), expected[:1])


def small(**options: bool) -> tuple[Bundle, Network]:
    words = (ops.Conv2d(3, 8, 3, padding=1), ops.ReLU(), ops.AdaptiveAvgPool2d(1), ops.Flatten())
    network = bundle(*words, ops.Linear(8, 3), shape=(3, 12, 10), labels=("a", "b", "c"))
    return network, Network(network, **options)  # type: ignore[arg-type]


def test_arrays_however_they_lie() -> None:
    network, net = small()
    pixels = pixels_for(network, 5)
    expected = net(normalised(network, pixels))
    wide = np.zeros((5, 12, 20, 3), np.uint8)
    wide[:, :, ::2] = pixels
    np.testing.assert_array_equal(net(wide[:, :, ::2]), expected)
    np.testing.assert_array_equal(net(pixels[:, :, ::-1]), net(normalised(network, pixels[:, :, ::-1])))
    np.testing.assert_array_equal(net(pixels[::-1]), net(normalised(network, pixels[::-1])))
    np.testing.assert_array_equal(net(np.asfortranarray(pixels)), expected)
    still = pixels.copy()
    still.setflags(write=False)
    np.testing.assert_array_equal(net(still), expected)
    assert net(pixels[:0]).shape == (0, 3)


def test_a_batch_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_file, "MOST_IMAGES", 2)
    network, net = small()
    pixels = pixels_for(network, 5)
    np.testing.assert_array_equal(net(pixels), net(normalised(network, pixels)))


def test_with_the_mirror_image() -> None:
    network, net = small(mirror=True)
    pixels = pixels_for(network, 2)
    expected = net(normalised(network, pixels))
    np.testing.assert_array_equal(net(pixels), expected)
    np.testing.assert_array_equal(net(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))), expected)


def test_numpy_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    network, net = small()
    pixels = pixels_for(network, 3)
    monkeypatch.setenv("STRIATE_ENGINE", "reference")
    slow = Network(network)
    np.testing.assert_array_equal(slow(pixels), slow(normalised(network, pixels)))
    np.testing.assert_allclose(slow(pixels), net(pixels), atol=1e-5)


def test_preprocessing_is_part_of_what_lies_ready(tmp_path: Path) -> None:
    network, net = small()
    other = replace(network, preprocessing={**network.preprocessing, "mean": [0.1, 0.2, 0.3]})
    pixels = pixels_for(network, 2)
    for number, each in enumerate((network, other, network, other)):
        write_bundle(tmp_path / str(number), each)
        found = load(tmp_path / str(number))(pixels)
        np.testing.assert_array_equal(found, net(normalised(each, pixels)))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("lanes", [1, 4, 8, 16])
def test_code_for_every_level(level: str, lanes: int) -> None:
    scaling = Scaling((1.0,) * 3, (0.0,) * 3)
    for last in (True, False):
        kernel = Bytes(Layout(3, 5, 21, lanes, (1, 1, 1, 1)), last, scaling)
        if lanes in (1, LEVELS[level].lanes):
            assert kernel.symbol in assembly(kernel.emit(LEVELS[level]), LEVELS[level])


def test_a_program_refuses_bytes_of_another_size() -> None:
    graph = chain(ops.ReLU(), shape=(3, 4, 4))
    options = Settings(host(), scaling=Scaling((1.0,) * 3, (0.0,) * 3))
    program = Program(make_plan(graph, {}, graph.inputs, options), host(), 1)
    with pytest.raises(OutOfBoundsError, match="another size than the program's"):
        program({"x0": np.zeros((1, 3, 4, 5), np.uint8)}, ("n0",))


# --- predict ------------------------------------------------------------------------------------------------


def encoded(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_pixels_are_answered_as_the_files_that_hold_them() -> None:
    _, net = small()
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((12, 10), (40, 31), (7, 90))]
    expected = net.predict([encoded(picture) for picture in pictures])
    assert net.predict(pictures) == expected
    assert [one.key for one in expected] == ["image 1", "image 2", "image 3"]
    assert net.predict(picture.transpose(2, 0, 1) for picture in pictures) == expected
    assert net.predict(pictures[1]) == [replace(expected[1], key="image 1")]
    many = np.stack([pictures[0]] * 3)
    assert [one.top for one in net.predict(many)] == [expected[0].top] * 3
    assert net.predict(many[:0]) == []
    assert net.predict([encoded(pictures[0]), pictures[1]]) == expected[:2]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: np.zeros((12, 10, 3), np.float32), "ndarray of float32"),
        (lambda: np.zeros((12, 10, 4), np.uint8), r"ndarray of uint8 \(12, 10, 4\)"),
        (lambda: [np.zeros((12, 10), np.uint8)], r"uint8 \(12, 10\)"),
        (lambda: np.zeros((2, 0, 10, 3), np.uint8), r"\(0, 10, 3\)"),
        (lambda: [None], "NoneType"),
        (lambda: [[[1, 2], [3]]], "list"),
    ],
)
def test_other_arrays_are_refused(make: Callable[[], object], told: str) -> None:
    _, net = small()
    with pytest.raises(ArgumentError, match=rf"image 1 must be a file, its bytes, or uint8 pixels .*{told}"):
        net.predict(make())  # type: ignore[arg-type]


def test_both_orders_are_named_where_neither_fits() -> None:
    _, net = small()
    with pytest.raises(ShapeError, match=r"must have shape \(N, 12, 10, 3\) or \(N, 3, 12, 10\), got"):
        net(np.zeros((1, 10, 12, 3), np.uint8))
