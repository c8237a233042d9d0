"""What opening a data set is asked for and gives, for every kind of source, and its held-out part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.dataset import ImageSet, count_classes
from striate.data.findings import Finding
from striate.data.folds import folds_of
from striate.data.preprocess import Preprocessing
from striate.data.scan import Progress
from striate.data.split import default_fraction, held_out
from striate.errors import DataError

FAR = 0.25  # what is held out of a class may be off by this share of what was meant, or by one image, unsaid
SHOWN = 5  # classes of which it is said
Prepare = Callable[[Preprocessing], Preprocessing | None]
"""Gets how images would be prepared; answers how weights that were learned elsewhere want it, or None."""


@dataclass(frozen=True)
class Asked:
    """What the caller of ``open_dataset`` asked for."""

    name: str
    image_size: tuple[int, int] | None
    channels: int | None
    skip_bad: bool
    classes: Sequence[str] | None
    val_fraction: float | None
    prepare: Prepare | None
    on_progress: Progress | None
    on_scan: Progress | None
    fold: tuple[int, int] | None = None
    """(2, 5): the second of five folds of train and val together is val; there is no test split."""


@dataclass(frozen=True)
class Opened:
    classes: tuple[str, ...]
    sets: dict[str, ImageSet]
    usual: Preprocessing
    """For images of this size and kind; mean and deviation are still to be measured."""
    wanted: Preprocessing | None
    """What ``prepare`` has answered, which is used as it is."""
    notes: list[str]
    findings: Sequence[Finding]


def fold_mask(
    digests: Sequence[str],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    fold: tuple[int, int],
    splits: Sequence[str],
    notes: list[str],
) -> NDArray[np.bool_]:
    """Which images of ``splits`` together a fold holds out; says so in ``notes``, in the first fold alone.

    Raises DataError: more folds than different images, or a class that a fold would have to learn without.
    """
    number, count = fold
    held_by = folds_of(digests, labels, count)
    for index, name in enumerate(classes):
        holding = np.unique(held_by[labels[:, index] > 0 if labels.ndim == 2 else labels == index])
        if len(holding) == 1:
            raise DataError(
                f"folds must leave every class something to learn from, and one of them holds all images of "
                f"{name!r} out: add different images of it, or train without folds."
            )
    mask: NDArray[np.bool_] = held_by == number - 1
    if number == 1:
        together = "The val images join the training images. " if "val" in splits else ""
        aside = " The test images are for the mean of the networks, at the end." if "test" in splits else ""
        notes.append(
            f"{together}Each of {count} folds holds out another part of the {len(mask):,} images, chosen by "
            f"their content.{aside}"
        )
    return mask


def validation_mask(
    digests: Sequence[str],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    asked: Asked,
    has_test: bool,
    notes: list[str],
) -> NDArray[np.bool_]:
    """Which training images are held out for validation; says so in ``notes``, uneven shares by name."""
    fraction = (
        asked.val_fraction if asked.val_fraction is not None else default_fraction(len(digests), has_test)
    )
    mask = held_out(digests, labels, fraction)
    if not mask.any():
        raise DataError(
            "No validation images can be held out: every class has only one image, or copies of one. "
            "Add images, or give a val/ folder."
        )
    notes.append(
        f"No val split is given: {int(mask.sum()):,} training images (some {100 * fraction:.3g}% of each "
        f"class, chosen by their content) are held out.{_uneven(mask, labels, classes, fraction)}"
    )
    return mask


def _uneven(
    mask: NDArray[np.bool_], labels: NDArray[np.int64], classes: Sequence[str], fraction: float
) -> str:
    """The classes whose held-out part is far from ``fraction``, the farthest first; "" where none is."""
    found = []
    counts = (count_classes(part, len(classes)) for part in (labels, labels[mask]))
    for name, images, held in zip(classes, *counts, strict=True):
        meant = round(fraction * images, 9)
        if abs(held - meant) > max(1, FAR * meant):
            found.append((abs(held - meant) / images, f"{held} of {images} in {name!r}"))
    if not found:
        return ""
    found.sort(key=lambda one: -one[0])
    shown = ", ".join(text for _, text in found[:SHOWN])
    more = f" and {len(found) - SHOWN} more classes" if len(found) > SHOWN else ""
    return f" By chance that is {shown}{more}. Folds (--folds 5) are even, and hold every image out once."
