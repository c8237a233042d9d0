"""Which training images are held out for validation: decided by content, so that it never wavers.

An image is held out when its SHA-256, read as a number between 0 and 1, lies below the fraction. The
same content therefore always falls on the same side, under whatever name and in whatever class, and
files that are added move no other. The share of each class is the fraction up to chance; a class that
chance would leave without training or without validation images gives one content to that side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from striate.errors import ArgumentError

MOST_HELD_OUT = 2_000  # more validation images would cost time and training images, and tell little more
_STEPS = (0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.002, 0.001)
_PLACE_BITS = 64


def default_fraction(images: int, has_test: bool) -> float:
    """20% without a test split, where validation is also the final measure; else 10%, at most some 2,000.

    The fraction goes down in steps, so that a set that grows moves images only when it crosses one.
    """
    if not has_test:
        return 0.2
    return next((step for step in _STEPS if step * images <= MOST_HELD_OUT), _STEPS[-1])


def held_out(digests: Sequence[str], labels: NDArray[np.int64], fraction: float) -> NDArray[np.bool_]:
    """Which of N images are held out: bool (N,).

    ``digests`` are the contents' SHA-256 in hexadecimal, ``labels`` the class numbers (N,), or 0 and 1 (N, K)
    for labels. Every class keeps at least one training image, and has a held-out one if it has two different
    contents.
    Raises ArgumentError when the fraction does not lie between 0 and 1.
    """
    if not 0 < fraction < 1:
        raise ArgumentError(f"val_fraction must lie between 0 and 1, got {fraction}: give for example 0.2.")
    places = {digest: int(digest[:16], 16) / 2**_PLACE_BITS for digest in digests}
    chosen = {digest for digest, place in places.items() if place < fraction}
    classes: dict[int, set[str]] = {}
    images, numbers = np.nonzero(labels) if labels.ndim == 2 else (np.arange(len(labels)), labels)
    for image, label in zip(images.tolist(), numbers.tolist(), strict=True):
        classes.setdefault(label, set()).add(digests[image])
    for _, contents in sorted(classes.items()):
        if len(contents) > 1 and not contents & chosen:
            chosen.add(min(contents))
    for _, contents in sorted(classes.items()):  # second, because a training image matters more
        if contents <= chosen:
            chosen.remove(max(contents))
    return np.array([digest in chosen for digest in digests], dtype=np.bool_)
