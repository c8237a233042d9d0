"""NumPy archives and IDX pairs as sources, and what is refused of them."""

from __future__ import annotations

import gzip
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.data.catalogue import open_dataset, open_split
from striate.data.idx import write_idx
from striate.data.npz import read_npz
from striate.errors import DataError

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (40, 12, 12, 3), dtype=np.uint8)
LABELS = np.arange(40) % 4


@pytest.mark.parametrize(
    "arrays",
    [
        {"images": IMAGES, "labels": LABELS},
        {"x": IMAGES, "y": LABELS[:, None].astype(np.uint8)},
        {"images": IMAGES, "labels": LABELS, "classes": np.array(["0", "1", "2", "3"])},
    ],
)
def test_an_archive_without_splits(arrays: dict[str, Any], tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    data = open_dataset(tmp_path / "a.npz")
    assert data.classes == ("0", "1", "2", "3") and data.val is not None
    assert len(data.train) + len(data.val) == 40 and data.train.keys[0].startswith("all/")
    np.testing.assert_array_equal(data.train.images[0], IMAGES[int(data.train.keys[0][4:])])


def test_splits_as_keras_and_medmnist_call_them(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "k.npz",
        x_train=IMAGES[..., 0],
        y_train=LABELS,
        x_test=IMAGES[:8, ..., 0],
        y_test=LABELS[:8],
    )
    keras = open_dataset(tmp_path / "k.npz")
    assert keras.channels == 1 and keras.test is not None and len(keras.test) == 8
    parts = {"train": IMAGES, "val": IMAGES[:6], "test": IMAGES[:5]}
    several = {f"{split}_labels": RANDOM.integers(0, 2, (len(x), 3)) for split, x in parts.items()}
    several["train_labels"][0] = 1
    np.savez_compressed(tmp_path / "m.npz", **{f"{split}_images": x for split, x in parts.items()}, **several)
    medical = open_dataset(tmp_path / "m.npz")
    assert medical.task == "labels" and medical.classes == ("0", "1", "2")
    assert {split: len(images) for split, images in medical.splits.items()} == {
        "train": 40,
        "val": 6,
        "test": 5,
    }
    np.testing.assert_array_equal(medical.train.labels, several["train_labels"])


def test_names_and_other_sizes(tmp_path: Path) -> None:
    named = np.array(["b", "a", "c", "a"] * 10)
    np.savez(tmp_path / "n.npz", images=IMAGES, labels=named)
    data = open_dataset(tmp_path / "n.npz", image_size=(8, 8), channels=1)
    assert data.classes == ("a", "b", "c") and data.train.images.shape[1:] == (8, 8, 1)
    images, _ = open_split(tmp_path / "n.npz", classes=("c", "b", "a", "z"), image_size=(12, 12), channels=3)
    assert images.labels[:3].tolist() == [1, 2, 0]
    with pytest.raises(
        DataError, match=r"has the classes a, b, c, not a, b: the network was not trained on 'c'"
    ):
        open_split(tmp_path / "n.npz", classes=("a", "b"), image_size=(12, 12), channels=3)


class Bomb:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (print, ("it ran",))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"images": IMAGES},
            r"must hold images and labels \(or x_train and y_train\), it holds images: name",
        ),
        (
            {"images": IMAGES, "labels": LABELS[:-1]},
            r"has 40 images and 39 labels of all: give each image its",
        ),
        ({"images": IMAGES / 255.0, "labels": LABELS}, r"images of .* must be uint8, 0 to 255, got float64"),
        (
            {"images": IMAGES[..., :2], "labels": LABELS},
            r"must have the shape \(N, H, W\).* got \(40, 12, 12, 2\)",
        ),
        ({"images": IMAGES, "labels": LABELS / 2}, r"labels of .* must be whole numbers or names"),
        (
            {"images": IMAGES, "labels": np.full((40, 2), 2)},
            r"must be whole numbers or names \(N,\), or 0 and 1",
        ),
        ({"images": IMAGES, "labels": LABELS, "classes": np.array(["a", "b"])}, r"a label 3 and 2 classes"),
        ({"images": IMAGES, "labels": LABELS * 0}, r"has one class, a classifier needs at least two"),
        ({"x_test": IMAGES, "y_test": LABELS}, r"must hold images and labels"),
    ],
)
def test_what_does_not_fit_is_refused(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path / "a.npz")


def test_nothing_is_unpickled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "a.npz", images=np.array([Bomb()] * 3, dtype=object), labels=LABELS[:3])
    with pytest.raises(DataError, match=r"images\.npy in .* holds Python objects, which are never unpickled"):
        read_npz(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match=r"b\.npz is no sound \.npz file"):
        read_npz(tmp_path / "b.npz")
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        archive.writestr("images", pickle.dumps(Bomb()))
    with pytest.raises(DataError, match=r"c\.npz is no sound \.npz file"):
        read_npz(tmp_path / "c.npz")
    assert "it ran" not in capsys.readouterr().out


def test_an_archive_that_unpacks_to_more_than_memory(tmp_path: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000, 1000, 1000), }"
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    with zipfile.ZipFile(tmp_path / "big.npz", "w") as archive:
        for name in ("images", "labels"):
            magic = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
            archive.writestr(f"{name}.npy", magic + header + b"\0" * 100)
    with pytest.raises(DataError, match=r"big\.npz unpacks to [\d.]+ GiB, more than half of the"):
        read_npz(tmp_path / "big.npz")


def test_idx_pairs(tmp_path: Path) -> None:
    grey = IMAGES[..., 0]
    for split, rows in (("train", slice(0, 32)), ("t10k", slice(32, 40))):
        (tmp_path / f"{split}-images-idx3-ubyte").write_bytes(write_idx(grey[rows]))
        packed = gzip.compress(write_idx(LABELS[rows].astype(np.uint8)))
        (tmp_path / f"{split}-labels-idx1-ubyte.gz").write_bytes(packed)
    data = open_dataset(tmp_path)
    assert data.test is not None and len(data.test) == 8 and data.classes == ("0", "1", "2", "3")
    np.testing.assert_array_equal(data.test.images[..., 0], grey[32:])
    alone = open_dataset(tmp_path / "train-images-idx3-ubyte")
    assert alone.test is None and len(alone.train) + len(alone.val or ()) == 32


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-labels-idx1-ubyte", None, r"lacks the IDX file of its labels: put it beside it"),
        (
            "train-images-idx3-ubyte",
            b"\x00\x00\x0d\x03",
            r"must be a whole IDX file of bytes \(it begins with 00000d03",
        ),
        ("train-images-idx3-ubyte", b"", r"it begins with nothing"),
        ("train-images-idx3-ubyte", write_idx(IMAGES[..., 0])[:-1], r"copy it again, or convert it"),
        ("train-images-idx3-ubyte", write_idx(IMAGES[..., 0]) + b"x", r"must be a whole IDX file"),
        ("train-images-idx3-ubyte", write_idx(IMAGES[:39, ..., 0]), r"39 images and 40 labels of train"),
        ("train-labels-idx1-ubyte.gz", b"\x1f\x8b junk", r"has both|cannot be read"),
    ],
)
def test_idx_that_is_broken(name: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(write_idx(IMAGES[..., 0]))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(write_idx(LABELS.astype(np.uint8)))
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "x.doc").write_text("hello")
    with pytest.raises(DataError, match=r"x\.doc is a file of no kind that holds a set"):
        open_dataset(tmp_path / "x.doc")
