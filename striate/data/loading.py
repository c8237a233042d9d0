"""A list of image files becomes one uint8 array of one size, decoded by a few threads."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

import numpy as np

from striate.data.dataset import ImageSet
from striate.data.preprocess import SMALL_SIDE, Preprocessing
from striate.data.scan import Facts, Progress, in_threads
from striate.errors import DataError, ImageError

PHOTOGRAPH_SIDE = 224  # the size most published networks were trained at
_STEP = 32  # most networks halve a picture five times


def load(
    facts: Sequence[Facts],
    preprocessing: Preprocessing,
    classes: Sequence[str],
    on_progress: Progress | None = None,
) -> tuple[ImageSet, list[str]]:
    """Decode files to (images, problems); a label is an index into ``classes``.

    Files with problems are left out of the images; the problems are sentences that name them.
    """
    images = np.empty((len(facts), *preprocessing.image_size, preprocessing.channels), np.uint8)

    def fill(row: int) -> str | None:
        fact = facts[row]
        if fact.problem is not None:
            return fact.problem
        try:
            images[row] = preprocessing.decode_one(fact.file.path, fact.file.key)
        except ImageError as error:
            return str(error)
        return None

    answers = list(in_threads(fill, range(len(facts)), on_progress))
    numbers = {label: number for number, label in enumerate(classes)}
    labels = np.array([numbers[fact.file.label] for fact in facts], np.int64)
    every = ImageSet(
        tuple(fact.file.key for fact in facts), labels, images, tuple(fact.digest for fact in facts)
    )
    problems = [answer for answer in answers if answer is not None]
    if not problems:
        return every, []
    return every.subset(np.array([answer is None for answer in answers], np.bool_)), problems


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


def refuse_if_too_large(images: int, preprocessing: Preprocessing, memory: int | None = None) -> None:
    """Raise DataError when the decoded images would fill more than half of the memory (bytes)."""
    memory = memory if memory is not None else _memory()
    height, width = preprocessing.image_size
    needed = images * height * width * preprocessing.channels
    if memory is None or needed <= memory / 2:
        return
    shrink = (memory / 2 / needed) ** 0.5
    fitting = max(1, int(min(height, width) * shrink) // 8 * 8)
    raise DataError(
        f"{images:,} images of {height}x{width} need {needed / 2**30:.1f} GiB of memory, more than half of "
        f"the {memory / 2**30:.1f} GiB there are: give a smaller size, for example "
        f"--image-size {fitting}, or fewer images."
    )


def _memory() -> int | None:
    """Bytes of memory that this process may use, or None where no one says."""
    limits: list[int] = []
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    if sys.platform == "win32":
        limits.append(_windows_memory())
    container = Path("/sys/fs/cgroup/memory.max")  # what a container is allowed
    with suppress(OSError, ValueError):
        limits.append(int(container.read_text()))
    return min(limits, default=None)


def _windows_memory() -> int:
    import ctypes

    kilobytes = ctypes.c_ulonglong()
    ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))  # type: ignore[attr-defined,unused-ignore]
    return kilobytes.value * 1024
