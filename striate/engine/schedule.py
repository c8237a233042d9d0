"""The steps of a plan for some number of images, as ``drive`` reads them: rows, and addresses of buffers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from striate.engine.compiled import FIELDS, KEPT, Compiled
from striate.engine.stage import Outside
from striate.engine.steps import Section
from striate.engine.stretch import Stretch, with_bytes

if TYPE_CHECKING:  # it brings LLVM along, which a stored program needs none of
    from striate.engine.kernels.kernel import Kernel

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Entry:
    """A step. ``places``: of each operand the address for the first image; how many bytes further it is for
    every image before or, where memory is used again for other images, for every thread before; and for every
    image for which there is more room than usual."""

    code: int
    places: Numbers
    kernel: Kernel | Compiled
    wait: bool


@dataclass(frozen=True)
class Pass:
    """Some ``images`` of a batch, from number ``first`` on, in one section.

    ``hand``: the number of the thread that takes them, from 1 on; 0: all threads together. ``more``: images
    beyond those of a section. ``last``: the next pass needs this one and those before it done.
    """

    first: int
    images: int
    more: int = 0
    hand: int = 0
    last: bool = True


class Schedule:
    """``table``: for so many ``images``; its first row is for what reads bytes. ``stretches`` and
    ``with_bytes``: of its rows."""

    def __init__(
        self,
        entries: Sequence[Entry],
        sections: Sequence[Section],
        stretches: Sequence[Stretch | Outside],
        images: int,
        threads: int,
    ) -> None:
        found: list[Stretch | Outside] = []
        rows: list[tuple[int, ...]] = []
        self._addresses: list[Numbers] = []  # kept while rows point there
        for stretch in stretches:
            if isinstance(stretch, Outside):
                found.append(stretch)
                continue
            before = len(rows)
            for some, section in _within(stretch, entries, sections or (Section(len(entries), images),)):
                for one in passes(section, images, threads):
                    rows += [self._row(entry, one, last=entry is some[-1]) for entry in some]
            found.append(Stretch(before, len(rows) - before))
        self.table: Numbers = np.array([(0,) * FIELDS, *rows], np.int64)
        self.images, self.stretches, self.with_bytes = images, found, with_bytes(found)

    def address(self, stretch: Stretch) -> int:
        """Of its first row."""
        return self.table[1 + stretch.first :].ctypes.data

    def _row(self, entry: Entry, one: Pass, last: bool) -> tuple[int, ...]:
        """Nobody waits for anybody within a thread's own pass."""
        own = entry.places @ np.array((1, one.first, max(0, one.hand - 1), one.more), np.int64)
        self._addresses.append(own)
        wait = one.last if last else entry.wait and not one.hand
        kernel = entry.kernel
        hand = one.hand or (KEPT if kernel.overlaps else 0)
        return entry.code, own.ctypes.data, kernel.units, kernel.whole_batch, wait, one.images, hand


def _within(
    stretch: Stretch, entries: Sequence[Entry], sections: Sequence[Section]
) -> Iterator[tuple[Sequence[Entry], Section]]:
    """The entries of each section that are in the stretch."""
    at = 0
    for section in sections:
        low, high = max(at, stretch.first), min(at + section.steps, stretch.first + stretch.count)
        at += section.steps
        if low < high:
            yield entries[low:high], section


def passes(section: Section, images: int, threads: int) -> list[Pass]:
    """All images in the order of their work: those of each thread, as many for each, then the rest."""
    each = images // threads if section.own and threads > 1 else 0
    found = [
        Pass(hand * each + first, count, hand=hand + 1, last=False)
        for hand in range(threads)
        for first, count in (_parts(each, section.images) if each else ())
    ]
    if found:
        found[-1] = replace(found[-1], last=True)
    start = each * threads
    most = section.images * (threads if section.own else 1)
    for first, count in _parts(images - start, most) if start < images else ():
        found.append(Pass(start + first, count, more=most - section.images if count > section.images else 0))
    return found


def _parts(images: int, most: int) -> list[tuple[int, int]]:
    """(first, count) of about equal parts of at most ``most`` images."""
    parts = -(-images // most)
    cuts = [images * part // parts for part in range(parts + 1)]
    return [(low, high - low) for low, high in pairwise(cuts)]
