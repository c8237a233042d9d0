"""k-fold cross-validation: which fold holds an image out. By content and class alone, whatever is trained.

Two networks, or two learning rates, are therefore compared on the same folds, image by image; equal contents,
under whatever name, are always in one fold. Every class is dealt out evenly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from striate.errors import ArgumentError, DataError

MOST_FOLDS = 100


def whole_folds(folds: object) -> int:
    """A number of folds. Raises ArgumentError."""
    if isinstance(folds, bool) or not isinstance(folds, int) or not 2 <= folds <= MOST_FOLDS:
        raise ArgumentError(
            f"folds must be a whole number from 2 to {MOST_FOLDS}, got {folds!r}: 5 and 10 are usual."
        )
    return folds


def folds_of(digests: Sequence[str], labels: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """The fold, from 0, that holds out each of N images: int64 (N,).

    ``digests`` are the contents' SHA-256 in hexadecimal, ``labels`` class numbers (N,), or 0 and 1 (N, K).
    The contents of a class, in the order of their digests, go one by one where the class has fewest images so
    far. With labels an image stands for its rarest one, and the rarest labels are dealt out first (after
    Sechidis, Tsoumakas, Vlahavas 2011, "On the stratification of multi-label data").

    Raises DataError where there are fewer contents than folds.
    """
    strata = _rarest(labels) if labels.ndim == 2 else labels
    contents: dict[str, list[int]] = {}
    for image, digest in enumerate(digests):
        contents.setdefault(digest, []).append(image)
    if len(contents) < folds:
        raise DataError(
            f"folds must be at most the different images ({len(contents)}), got {folds}: give fewer folds or "
            "more images."
        )
    sizes = {int(stratum): int((strata == stratum).sum()) for stratum in np.unique(strata)}
    stratum_of = {digest: int(strata[images[0]]) for digest, images in contents.items()}
    dealt = {stratum: [0] * folds for stratum in sizes}
    total, found = [0] * folds, np.zeros(len(digests), np.int64)
    for digest in sorted(contents, key=lambda d: (sizes[stratum_of[d]], stratum_of[d], d)):
        own, images = dealt[stratum_of[digest]], contents[digest]
        fold = min(range(folds), key=lambda f: (own[f], total[f], f))
        found[images] = fold
        own[fold] += len(images)
        total[fold] += len(images)
    return found


def _rarest(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rarest label of each image, -1 for one without a label."""
    counts = labels.sum(axis=0)
    costs = np.where(labels > 0, counts[None, :], np.iinfo(np.int64).max)
    return np.where(labels.any(axis=1), costs.argmin(axis=1), -1)
