"""A bundle comes back as it was written, replaces another without loss, and refuses in one sentence."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import striate.bundle
from striate import ops
from striate.bundle import CARD, FILES, Bundle, read_bundle, write_bundle
from striate.errors import BundleError
from striate.graph.graph import Graph, Node


def small() -> Bundle:
    """conv - batch norm - relu - flatten - dense * 2, 1 x 4 x 4 to 3 classes; one tensor lies transposed."""
    rng = np.random.default_rng(0)
    roles = ("weight", "bias", "running_mean", "running_var")
    graph = Graph(
        {"image": ("N", 1, 4, 4)},
        (
            Node("conv", ops.Conv2d(1, 2, 3), ("image",), {"weight": "conv.weight", "bias": "conv.bias"}),
            Node("bn", ops.BatchNorm(2), ("conv",), {role: f"bn.{role}" for role in roles}),
            Node("relu", ops.ReLU(), ("bn",)),
            Node("flat", ops.Flatten(), ("relu",)),
            Node("fc", ops.Linear(8, 3), ("flat",), {"weight": "fc.weight", "bias": "fc.bias"}),
            Node("two", ops.Constant(), (), {"value": "two"}),
            Node("double", ops.Multiply(), ("fc", "two")),
            Node("drop", ops.Dropout(), ("fc",)),
        ),
        ("drop",),
    )
    weights = {
        "conv.weight": rng.normal(size=(2, 1, 3, 3)).astype(np.float32),
        "conv.bias": np.zeros(2, np.float32),
        **{f"bn.{role}": np.ones(2, np.float32) for role in roles},
        "fc.weight": rng.normal(size=(8, 3)).astype(np.float32).T,
        "fc.bias": np.zeros(3, np.float32),
        "two": np.array(2, np.float32),  # a single number, shape ()
    }
    preprocessing = {"image_size": [4, 4], "channels": 1, "mean": [0.5], "std": [0.25]}
    return Bundle(graph, weights, ("cat", "dog", "größe"), preprocessing, {"model": "small", "accuracy": 0.9})


def assert_equal(read: Bundle, written: Bundle) -> None:
    assert read.graph == written.graph
    assert set(read.weights) == set(written.weights)
    for name, tensor in written.weights.items():
        np.testing.assert_array_equal(read.weights[name], tensor, strict=True)
    assert (read.labels, read.preprocessing, read.card) == (
        written.labels,
        written.preprocessing,
        written.card,
    )


def test_a_bundle_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "bundle"
    write_bundle(path, small())
    assert sorted(child.name for child in path.iterdir()) == sorted(FILES)
    assert [child.name for child in path.parent.iterdir()] == ["bundle"]
    assert_equal(read_bundle(str(path)), small())


def test_the_precision_comes_back_and_bundles_of_before_have_none(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", replace(small(), precision="bf16"))
    assert read_bundle(tmp_path / "b").precision == "bf16"
    np.testing.assert_array_equal(
        read_bundle(tmp_path / "b").weights["fc.weight"], small().weights["fc.weight"]
    )
    record = json.loads((tmp_path / "b" / CARD).read_text())
    del record["precision"]
    (tmp_path / "b" / CARD).write_text(json.dumps(record))
    assert read_bundle(tmp_path / "b").precision == "fp32"


def test_tensors_that_no_node_needs_stay_out(tmp_path: Path) -> None:
    bundle = small()
    write_bundle(tmp_path / "b", replace(bundle, weights={**bundle.weights, "loss.weight": np.ones(9)}))
    assert set(read_bundle(tmp_path / "b").weights) == set(bundle.weights)


def test_an_existing_bundle_is_replaced(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", small())
    write_bundle(tmp_path / "b", replace(small(), labels=("x", "y", "z")))
    assert read_bundle(tmp_path / "b").labels == ("x", "y", "z")
    assert [child.name for child in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize("failing", ["fsync", "first rename", "second rename"])
def test_a_failure_keeps_the_old_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    path = tmp_path / "b"
    write_bundle(path, small())
    rename = Path.rename
    full = OSError(28, "No space left on device")

    def fsync(_: int) -> None:
        raise full

    def broken_rename(source: Path, target: Path) -> Path:
        if source.name.endswith(".part") if failing == "second rename" else source == path:
            raise full
        return rename(source, target)

    if failing == "fsync":
        monkeypatch.setattr(striate.bundle.os, "fsync", fsync)
    else:
        monkeypatch.setattr(Path, "rename", broken_rename)
    with pytest.raises(BundleError, match="cannot be written \\(No space left on device\\): free space"):
        write_bundle(path, replace(small(), labels=("x", "y", "z")))
    monkeypatch.undo()
    assert_equal(read_bundle(path), small())
    assert [child.name for child in tmp_path.iterdir()] == ["b"]


def test_a_writer_that_died_between_the_renames_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "b"
    write_bundle(path, small())
    path.rename(tmp_path / ".b.old")  # what a kill at that moment leaves
    assert_equal(read_bundle(path), small())
    write_bundle(path, small())
    assert [child.name for child in tmp_path.iterdir()] == ["b"]


def test_a_folder_with_other_files_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"precious")
    with pytest.raises(BundleError, match=r"holds files that are no bundle's \(photo\.jpg\)"):
        write_bundle(tmp_path, small())
    assert (tmp_path / "photo.jpg").read_bytes() == b"precious"
    with pytest.raises(BundleError, match="cannot be written"):
        write_bundle(tmp_path / "photo.jpg", small())
    assert (tmp_path / "photo.jpg").read_bytes() == b"precious"


# --- a bundle that contradicts itself is neither written nor read -----------------------------------------


def with_weight(name: str, tensor: np.ndarray) -> Callable[[Bundle], Bundle]:
    return lambda bundle: replace(bundle, weights={**bundle.weights, name: tensor})


CONTRADICTIONS: dict[str, tuple[Callable[[Bundle], Bundle], str]] = {
    "tensor absent": (
        lambda b: replace(b, weights={k: v for k, v in b.weights.items() if k != "fc.bias"}),
        "weights must hold the tensor 'fc.bias' of fc",
    ),
    "kernel": (
        with_weight("conv.weight", np.ones((2, 1, 3, 5), np.float32)),
        r"conv\.weight must have shape \(2, 1, 3, 3\) for conv \(Conv2d\), got \(2, 1, 3, 5\)",
    ),
    "dense": (with_weight("fc.weight", np.ones((3, 9))), r"fc\.weight must have shape \(3, 8\) for fc"),
    "norm": (with_weight("bn.running_var", np.ones(3)), r"bn\.running_var must have shape \(2,\)"),
    "nan": (with_weight("conv.bias", np.array([0, np.nan])), r"conv\.bias must hold finite numbers"),
    "infinite": (with_weight("fc.bias", np.array([0, np.inf, 0])), r"fc\.bias must hold finite numbers"),
    "complex": (with_weight("fc.bias", np.zeros(3, complex)), "must hold real numbers, got complex128"),
    "labels": (lambda b: replace(b, labels=("a", "b")), "as many as the network's 3 outputs, got 2"),
    "labels twice": (lambda b: replace(b, labels=("a", "b", "a")), "'a' stands twice"),
    "labels empty": (lambda b: replace(b, labels=("a", "b", "")), "labels must be non-empty strings"),
    "channels": (
        lambda b: replace(b, preprocessing={"image_size": [4, 4], "channels": 3}),
        "preprocessing gives images of 3 x 4 x 4, the network takes 1 x 4 x 4",
    ),
    "preprocessing": (lambda b: replace(b, preprocessing={"size": 4}), "must hold image_size and channels"),
}


def write_unchecked(path: Path, bundle: Bundle) -> None:
    """The files of a bundle that contradicts itself, with true seals."""
    path.mkdir()
    weights = {name: np.zeros(1, np.float32) for name in bundle.graph.tensor_names()}
    for name, content in striate.bundle._encode(replace(bundle, weights=weights)).items():
        (path / name).write_bytes(content)
    tensors = {name: np.asarray(tensor, order="C") for name, tensor in bundle.weights.items()}
    (path / "model.safetensors").write_bytes(safetensors.numpy.save(tensors))
    seal(path)


def seal(path: Path) -> None:
    record = json.loads((path / CARD).read_text())
    record["sha256"] = {
        name: hashlib.sha256((path / name).read_bytes()).hexdigest() for name in striate.bundle.SEALED
    }
    (path / CARD).write_text(json.dumps(record))


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contradiction_is_not_written(tmp_path: Path, name: str) -> None:
    change, message = CONTRADICTIONS[name]
    with pytest.raises(BundleError, match=f"^The bundle: .*{message}"):
        write_bundle(tmp_path / "b", change(small()))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", set(CONTRADICTIONS) - {"complex"})  # safetensors has no complex numbers
def test_a_contradiction_is_not_read(tmp_path: Path, name: str) -> None:
    change, message = CONTRADICTIONS[name]
    write_unchecked(tmp_path / "b", change(small()))
    with pytest.raises(BundleError, match=message):
        read_bundle(tmp_path / "b")


def test_values_that_are_not_json_are_refused(tmp_path: Path) -> None:
    for value in ({1, 2}, float("nan")):
        with pytest.raises(BundleError, match="must be plain JSON values"):
            write_bundle(tmp_path / "b", replace(small(), card={"value": value}))


# --- damaged files ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "b"
    write_bundle(path, small())
    return path


@pytest.fixture
def damaged(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "b"))


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(damaged: Path, name: str) -> None:
    (damaged / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing: export the network again"):
        read_bundle(damaged)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_the_place_of_a_file_is_named(damaged: Path, name: str) -> None:
    (damaged / name).unlink()
    (damaged / name).mkdir()
    with pytest.raises(BundleError, match=f"{name} cannot be read"):
        read_bundle(damaged)


def test_no_bundle_at_all(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"nothing is not a bundle: give the folder that holds graph\.json"):
        read_bundle(tmp_path / "nothing")
    with pytest.raises(BundleError, match=r"graph\.json is missing"):
        read_bundle(tmp_path)


@pytest.mark.parametrize("name", striate.bundle.SEALED)
def test_a_change_is_seen(damaged: Path, name: str) -> None:
    content = (damaged / name).read_bytes()
    (damaged / name).write_bytes(content.replace(b"4", b"5", 1))
    with pytest.raises(BundleError, match=f"{name} has changed since it was written"):
        read_bundle(damaged)


def test_labels_may_be_translated_by_hand(damaged: Path) -> None:
    (damaged / "labels.json").write_text(
        '{"format": 1, "labels": ["Katze", "Hund", "Größe"]}', encoding="utf-8"
    )
    assert read_bundle(damaged).labels == ("Katze", "Hund", "Größe")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("labels.json", '{"format": 2, "labels": []}', "must be of bundle format 1, got 2: use the version"),
        ("card.json", '{"format": 7, "card": {}}', "must be of bundle format 1, got 7"),
        ("card.json", "[]", "must be of bundle format 1, got None"),
        ("card.json", '{"format": 1, "card": {}}', "must hold 'sha256', and does not"),
        ("labels.json", '{"format": 1, "labels": {}}', "must hold 'labels', and does not"),
        ("labels.json", '{"format": 1, "labels": ["a", 2, []]}', "labels must be non-empty strings"),
        ("labels.json", "[" * 100_000, "labels.json is not JSON"),
        ("labels.json", "{", "labels.json is not JSON"),
    ],
)
def test_wrong_content_is_named(damaged: Path, name: str, content: str, message: str) -> None:
    (damaged / name).write_text(content)
    with pytest.raises(BundleError, match=message):
        read_bundle(damaged)


def test_a_graph_of_another_version_is_named(damaged: Path) -> None:
    (damaged / "graph.json").write_text('{"format": 99}')
    seal(damaged)
    with pytest.raises(BundleError, match=r"graph\.json cannot be used: graph format must be 1, got 99"):
        read_bundle(damaged)


def test_half_precision_that_numpy_lacks_is_named(damaged: Path) -> None:
    header = b'{"x":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'
    (damaged / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    seal(damaged)
    with pytest.raises(BundleError, match=r"model\.safetensors cannot be read|weights must hold"):
        read_bundle(damaged)


@pytest.mark.parametrize("sealed", [False, True], ids=["by accident", "by intent"])
@pytest.mark.parametrize("name", FILES)
def test_truncated_and_flipped_files_are_refused_or_harmless(damaged: Path, name: str, sealed: bool) -> None:
    """60 damages a file. ``sealed``: the attacker has mended the checksums, so all readers are reached."""
    rng = random.Random(name)
    original = (damaged / name).read_bytes()
    refused = 0
    for attempt in range(60):
        content = bytearray(original)
        if attempt % 3 == 0:
            del content[rng.randrange(len(content)) :]
        else:
            for _ in range(rng.choice([1, 1, 4])):
                content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        (damaged / name).write_bytes(content)
        try:
            if sealed and name != CARD:
                seal(damaged)
            bundle = read_bundle(damaged)
        except BundleError as error:
            assert "\n" not in str(error) and len(str(error)) < 600
            refused += 1
            continue
        if not sealed:  # what the seals cover came through unchanged
            assert bundle.graph == small().graph
            assert bundle.preprocessing == small().preprocessing
    assert refused >= 20  # every cut, at the least
