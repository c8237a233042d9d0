"""The size that images are brought to, and whether memory holds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from striate.data.memory import memory
from striate.data.preprocess import SMALL_SIDE, Preprocessing
from striate.data.scan import Facts
from striate.errors import DataError

PHOTOGRAPH_SIDE = 224  # the size most published networks were trained at
_STEP = 32  # most networks halve a picture five times


def refit(images: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Arrays (N, h, w, c) in another size; one channel is repeated, three are made grey."""
    refuse_if_too_large(len(images), preprocessing)
    mode = "L" if preprocessing.channels == 1 else "RGB"
    fitted = np.empty((len(images), *preprocessing.image_size, preprocessing.channels), np.uint8)
    for row, pixels in enumerate(images):
        picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        fitted[row] = preprocessing.fit_picture(picture.convert(mode))
    return fitted


def choose_size(facts: Sequence[Facts]) -> tuple[tuple[int, int], str]:
    """The size to bring images to, and a sentence that says why.

    Small images keep theirs. Photographs become 224 x 224, or smaller if most of them hold less.
    """
    sizes = Counter(fact.size for fact in facts if fact.problem is None)
    if not sizes:
        return (PHOTOGRAPH_SIDE, PHOTOGRAPH_SIDE), ""
    height, width = max(h for h, _ in sizes), max(w for _, w in sizes)
    if max(height, width) <= SMALL_SIDE:
        how = "as they are" if len(sizes) == 1 else f"stretched: they have {len(sizes)} sizes"
        return (height, width), f"Images are used at {height}x{width} ({how}); --image-size changes that."
    shorter = median(min(size) for size in sizes.elements())
    side = min(PHOTOGRAPH_SIDE, max(_STEP, int(shorter) // _STEP * _STEP))
    return (side, side), (
        f"Images are scaled to {side}x{side}, the middle of each cut out (the median shorter side is "
        f"{shorter:g} pixels); --image-size changes that."
    )


def refuse_if_too_large(images: int, preprocessing: Preprocessing, limit: int | None = None) -> None:
    """Raise DataError when the decoded images would fill more than half of the memory (bytes)."""
    limit = limit if limit is not None else memory()
    height, width = preprocessing.image_size
    needed = images * height * width * preprocessing.channels
    if limit is None or needed <= limit / 2:
        return
    shrink = (limit / 2 / needed) ** 0.5
    fitting = max(1, int(min(height, width) * shrink) // 8 * 8)
    raise DataError(
        f"{images:,} images of {height}x{width} need {needed / 2**30:.1f} GiB of memory, more than half of "
        f"the {limit / 2**30:.1f} GiB there are: give a smaller size, for example "
        f"--image-size {fitting}, or fewer images."
    )
