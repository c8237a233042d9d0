"""Where everything lies: buffers of values whose lives do not overlap share memory; nothing else is shared.

With the environment variable STRIATE_GUARD set, every buffer ends at a page that may not be touched, so that
one value too far is a crash at the instruction that did it (``make test-all`` runs like this once).
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GUARD = "STRIATE_GUARD"
LINE = 16  # float32 in a cache line: every buffer begins on one
HUGE = 2**21  # bytes of a huge page: one entry of the address cache instead of 512
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Life:
    """A buffer of ``size`` values, written first in step ``first`` and read last in step ``last``."""

    size: int
    first: int
    last: int

    def meets(self, other: Life) -> bool:
        return self.first <= other.last and other.first <= self.last


def arrange(lives: Mapping[str, Life]) -> tuple[dict[str, int], int]:
    """An offset for each buffer, and the length of memory that they need together.

    The largest goes first, each to the lowest place where nobody lives at the same time.
    """
    places: dict[str, int] = {}
    for name, life in sorted(lives.items(), key=lambda item: (-item[1].size, item[0])):
        taken = sorted(
            (places[other], places[other] + lines(lives[other].size))
            for other in places
            if life.meets(lives[other])
        )
        at = 0
        for start, end in taken:
            if at + lines(life.size) <= start:
                break
            at = max(at, end)
        places[name] = at
    total = max((places[name] + lines(life.size) for name, life in lives.items()), default=0)
    return places, total


def lines(size: int) -> int:
    """A size, rounded up to whole cache lines."""
    return -(-size // LINE) * LINE


def guarded() -> bool:
    return bool(os.environ.get(GUARD))


def allocate(size: int) -> Array:
    """``size`` zeros on a cache line; large ones on huge pages, where the system has them.

    Private: Linux gives shared memory no huge pages, and a forked child would compute in its parent's.
    """
    if guarded():
        return _at_a_wall(size)
    length = 4 * size + 4 * LINE
    large = length >= HUGE
    try:
        pages = _private(length + HUGE if large else length)
    except (OSError, OverflowError):
        raise MemoryError(f"a network's buffers need {length} bytes") from None
    if large and hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without huge pages
            pages.madvise(mmap.MADV_HUGEPAGE)
    content: Array = np.frombuffer(pages, np.uint8)
    start = -content.ctypes.data % (HUGE if large else 4 * LINE)
    return content[start : start + 4 * size].view(np.float32)


def _private(length: int) -> mmap.mmap:
    """Memory from the system; mmap's default is shared memory, where it knows the difference."""
    if hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, length)


def _at_a_wall(size: int) -> Array:
    """Memory whose last value is the last before a page that may not be touched (POSIX)."""
    page = mmap.PAGESIZE
    inside = max(page, -(-4 * size // page) * page)
    pages = _private(inside + page)
    content: Array = np.frombuffer(pages, np.uint8)
    wall = ctypes.c_void_p(content.ctypes.data + inside)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(wall, ctypes.c_size_t(page), 0) != 0:
        raise MemoryError("mprotect refused to close a page")
    _WALLS.append(pages)  # never given back: its numbers could be read through a stale address
    return content[inside - 4 * size : inside].view(np.float32)


_WALLS: list[mmap.mmap] = []
