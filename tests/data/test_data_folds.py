"""Folds: every image is held out once, equal contents together, every class dealt out evenly."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from striate.data.catalogue import open_dataset
from striate.data.folds import folds_of, whole_folds
from striate.errors import ArgumentError, DataError


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3)), min_size=12, max_size=120), st.integers(2, 6)
)
def test_classes_are_dealt_out_evenly(pairs: list[tuple[int, int]], folds: int) -> None:
    """Without duplicates a class's parts differ by one image at most; with them, contents stay together."""
    contents = dict(pairs)
    digests, labels = [digest(c) for c in contents], np.array(list(contents.values()))
    if len(contents) < folds:
        with pytest.raises(DataError, match="folds must be at most the different images"):
            folds_of(digests, labels, folds)
        return
    found = folds_of(digests, labels, folds)
    for label in range(4):
        sizes = np.bincount(found[labels == label], minlength=folds)
        assert sizes.max() - sizes.min() <= 1
    sizes = np.bincount(found, minlength=folds)
    assert sizes.min() >= 1 and sizes.max() - sizes.min() <= 4  # one a class
    order = np.random.default_rng(0).permutation(len(digests))
    assert np.array_equal(folds_of([digests[i] for i in order], labels[order], folds), found[order])
    twice = folds_of([*digests, *digests], np.concatenate([labels, labels]), folds)
    assert np.array_equal(twice[: len(digests)], twice[len(digests) :])


def test_rare_labels_are_spread_over_the_folds() -> None:
    labels = np.zeros((100, 3), np.int64)
    labels[:90, 0] = labels[60:, 1] = labels[:5, 2] = 1
    found = folds_of([digest(number) for number in range(100)], labels, 5)
    parts = [labels[found == fold].sum(axis=0) for fold in range(5)]
    assert [part[2] for part in parts] == [1] * 5
    assert all(len(labels[found == fold]) == 20 and 6 <= part[1] <= 10 for fold, part in enumerate(parts))


@pytest.mark.parametrize("folds", [1, 0, -3, 101, True, "5", 2.0])
def test_what_is_no_number_of_folds(folds: object) -> None:
    with pytest.raises(ArgumentError, match="folds must be a whole number from 2 to 100, got"):
        whole_folds(folds)


def test_train_and_val_are_taken_together_and_test_is_left_out(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 2), ("test", 2)):
        for label in "ab":
            (tmp_path / split / label).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / label / f"{number}.png")
    (tmp_path / "val/a/copy.png").write_bytes((tmp_path / "train/a/0.png").read_bytes())
    sets = [open_dataset(tmp_path, fold=(number, 4)) for number in (1, 2, 3, 4)]
    held = [set(one.val.keys) for one in sets if one.val is not None]
    assert len(set.union(*held)) == sum(map(len, held)) == 17 and not any(one.test for one in sets)
    assert all({*one.train.keys} | part == set.union(*held) for one, part in zip(sets, held, strict=True))
    (where,) = (part for part in held if "train/a/0.png" in part)
    assert "val/a/copy.png" in where
    assert any(
        note.startswith("The val images join the training images. Each of 4 folds") for note in sets[0].notes
    )
    assert not any("folds" in note for note in sets[1].notes)


def test_a_class_of_one_content_is_refused(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 8), dtype=np.uint8)
    images[6:] = images[6]
    np.savez(tmp_path / "d.npz", images=images, labels=np.array([0] * 6 + [1] * 3))
    with pytest.raises(
        DataError, match="one of them holds all images of '1' out: add different images of it"
    ):
        open_dataset(tmp_path / "d.npz", fold=(1, 3))
