"""Sources that are arrays already, checked: images, labels and the names of the classes.

Images are uint8 (N, H, W), (N, H, W, 1) or (N, H, W, 3). Labels are whole numbers or names (N,) or, for
several an image, 0 and 1 (N, K).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.data.listing import Task, in_order, readable
from striate.errors import DataError


@dataclass(frozen=True)
class ArraySet:
    """A source in memory."""

    splits: Mapping[str, tuple[NDArray[np.uint8], NDArray[np.int64]]]
    """Split ("all" where there is none) -> images (N, H, W, C), and class numbers (N,) or 0 and 1 (N, K)."""
    classes: tuple[str, ...]
    task: Task = "classes"


def array_set(
    name: str,
    found: Mapping[str, tuple[NDArray[Any], NDArray[Any]]],
    given: NDArray[Any] | None = None,
) -> ArraySet:
    """Split -> (images, labels) as an ``ArraySet``. ``given``: the classes' names, if the source has them.

    Raises DataError: types, shapes or lengths that do not fit, a label without a name.
    """
    images = {split: _images(x, f"{split} images of {name}") for split, (x, _) in found.items()}
    labels = {split: _plain(y, f"{split} labels of {name}") for split, (_, y) in found.items()}
    for split, own in labels.items():
        if len(own) != len(images[split]):
            raise DataError(
                f"{name} has {len(images[split]):,} images and {len(own):,} labels of {split}: give each "
                "image its label."
            )
    task: Task = "labels" if any(own.ndim == 2 for own in labels.values()) else "classes"
    names = tuple(readable(str(entry)) for entry in given) if given is not None and given.ndim == 1 else None
    numbered, classes = _numbered(labels, names, task, name)
    splits = {split: (images[split], numbered[split]) for split in found}
    return ArraySet(splits, classes, task)


def _images(array: NDArray[Any], what: str) -> NDArray[np.uint8]:
    """uint8 (N, H, W, C) of what was given; DataError says what is accepted."""
    if array.dtype != np.uint8:
        raise DataError(
            f"The {what} must be uint8, 0 to 255, got {array.dtype}: convert and save them again."
        )
    images = array[..., np.newaxis] if array.ndim == 3 else array
    if images.ndim != 4 or images.shape[3] not in (1, 3) or min(images.shape[1:3]) < 2:
        raise DataError(
            f"The {what} must have the shape (N, H, W), (N, H, W, 1) or (N, H, W, 3) and at least 2 x 2 "
            f"pixels, got {array.shape}: transpose them, or leave alpha out."
        )
    return images


def _plain(array: NDArray[Any], what: str) -> NDArray[Any]:
    """Labels (N,) or (N, K); DataError for others."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    whole = array.dtype.kind in "iub" or (array.ndim == 1 and array.dtype.kind == "U")
    binary = array.ndim == 2 and array.dtype.kind in "iub" and bool(np.isin(array, (0, 1)).all())
    if not (whole and array.ndim == 1) and not binary:
        raise DataError(
            f"The {what} must be whole numbers or names (N,), or 0 and 1 (N, K), got {array.dtype} "
            f"{array.shape}: convert and save them again."
        )
    return array


def _numbered(
    labels: Mapping[str, NDArray[Any]], names: tuple[str, ...] | None, task: Task, source: str
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Labels as numbers of classes, and the classes' names."""
    if task == "labels":
        widths = {own.shape[1] if own.ndim == 2 else 0 for own in labels.values()}
        if len(widths) > 1 or (names is not None and len(names) not in widths):
            raise DataError(f"{source} must have one column for each label in every split: save it so.")
        classes = names or tuple(map(str, range(widths.pop())))
        return {split: own.astype(np.int64) for split, own in labels.items()}, classes
    if any(own.dtype.kind == "U" for own in labels.values()):
        spelled = {split: [readable(str(label)) for label in own] for split, own in labels.items()}
        classes = names or in_order([label for own in spelled.values() for label in own])
        place = {label: number for number, label in enumerate(classes)}
        unknown = sorted({label for own in spelled.values() for label in own} - set(place))
        if unknown:
            raise DataError(f"{source} has the label {unknown[0]!r}, which classes lacks: add it there.")
        return {
            split: np.array([place[label] for label in own], np.int64) for split, own in spelled.items()
        }, classes
    every = np.unique(np.concatenate([own.astype(np.int64) for own in labels.values()]))
    if names is not None:
        if every.size and (every[0] < 0 or every[-1] >= len(names)):
            raise DataError(f"{source} has a label {every[-1]} and {len(names)} classes: name them all.")
        return {split: own.astype(np.int64) for split, own in labels.items()}, names
    return (
        {split: np.searchsorted(every, own.astype(np.int64)) for split, own in labels.items()},
        tuple(map(str, every.tolist())),
    )
