"""What opening a data set is asked for and gives, for every kind of source, and its held-out part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.dataset import ImageSet
from striate.data.findings import Finding
from striate.data.preprocess import Preprocessing
from striate.data.scan import Progress
from striate.data.split import default_fraction, held_out
from striate.errors import DataError

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


def validation_mask(
    digests: Sequence[str], labels: NDArray[np.int64], asked: Asked, has_test: bool, notes: list[str]
) -> NDArray[np.bool_]:
    """Which training images are held out for validation; says so in ``notes``."""
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
        f"No val split is given: {int(mask.sum()):,} training images ({100 * fraction:.3g}% of each "
        "class, chosen by their content) are held out."
    )
    return mask
