"""Arrays in memory become the sets of images of a Dataset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from striate.data.arrays import ArraySet
from striate.data.check import array_table, findings_in
from striate.data.dataset import ImageSet
from striate.data.named import NAMED
from striate.data.opening import Asked, Opened, fold_mask, validation_mask
from striate.data.preprocess import Preprocessing
from striate.data.refusals import known_classes, refuse_empty
from striate.data.size import refit


def open_arrays(asked: Asked, found: ArraySet) -> Opened:
    classes = known_classes(asked.name, found, asked.classes, all_of_them=True)
    first = next(iter(found.splits.values()))[0]
    usual = Preprocessing.for_size(asked.image_size or first.shape[1:3], asked.channels or first.shape[3])
    wanted = asked.prepare(usual) if asked.prepare is not None else None
    preprocessing = wanted or usual
    sets = _image_sets(found, classes, preprocessing, list(found.splits))
    sets = {("train" if split == "all" else split): images for split, images in sets.items()}
    notes: list[str] = []
    if asked.fold is not None:
        whole = joined([sets[name] for name in ("train", "val") if name in sets])
        mask = fold_mask(whole.digests, whole.labels, classes, asked.fold, tuple(sets), notes)
        sets = {"train": whole.subset(~mask), "val": whole.subset(mask)}
    if "val" not in sets:
        whole = sets["train"]
        mask = validation_mask(whole.digests, whole.labels, classes, asked, "test" in sets, notes)
        sets = {**sets, "train": whole.subset(~mask), "val": whole.subset(mask)}
    refuse_empty(sets["train"].per_class(len(classes)), classes, asked.name)
    if asked.name in NAMED:
        return Opened(classes, sets, usual, wanted, notes, ())
    findings = findings_in(*array_table(asked.name, sets, classes, found.task))
    return Opened(classes, sets, usual, wanted, notes, findings)


def evaluated_arrays(
    name: str, found: ArraySet, split: str, classes: Sequence[str], preprocessing: Preprocessing
) -> ImageSet:
    """One split, labelled by a network's ``classes``. DataError for a class that they lack."""
    known = known_classes(name, found, classes)
    return _image_sets(found, known, preprocessing, [split])[split]


def joined(sets: Sequence[ImageSet]) -> ImageSet:
    """Sets that are arrays, one behind the other."""
    if len(sets) == 1:
        return sets[0]
    return ImageSet(
        tuple(key for images in sets for key in images.keys),
        np.concatenate([images.labels for images in sets]),
        np.concatenate([np.asarray(images.images) for images in sets]),
        tuple(digest for images in sets for digest in images.digests),
    )


def _image_sets(
    found: ArraySet, classes: Sequence[str], preprocessing: Preprocessing, splits: Sequence[str]
) -> dict[str, ImageSet]:
    """Some splits with class numbers as in ``classes``, in the size and the channels asked for."""
    place = {label: number for number, label in enumerate(classes)}
    order = np.array([place[label] for label in found.classes], np.int64)
    sets = {}
    for split in splits:
        images, labels = found.splits[split]
        if images.shape[1:] != (*preprocessing.image_size, preprocessing.channels):
            images = refit(images, preprocessing)
        moved = order[labels]
        if found.task == "labels":
            moved = np.zeros((len(labels), len(classes)), np.int64)
            moved[:, order] = labels
        sets[split] = ImageSet.of_arrays(split, images, moved)
    return sets
