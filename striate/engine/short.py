"""Calls made ready once: a small network takes no longer than looking up what it needs."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from striate.engine.buffers import Array
from striate.engine.crew import Crew

Call = Callable[[], object]
Told = ctypes.Array[ctypes.c_int64]  # what ``drive`` is told
SOON = 200e-6  # seconds: twice of what a sleeping thread needs to come
QUICK = 8  # calls, one soon after the other, from which on threads are called up for the next ones


class SharedCall:
    """Of ``drive``, by each hand of a crew; ``blocks``: what each is told. ``kept``: what these point to."""

    def __init__(
        self,
        crew: Crew,
        drive: Callable[[Told], object],
        blocks: Sequence[Told],
        kept: object,
    ) -> None:
        self.crew, self.hands, self._drive, self._blocks, self._kept = crew, len(blocks), drive, blocks, kept
        self._told = crew.told([ctypes.addressof(block) for block in blocks])
        self._address = self._told.ctypes.data

    def __call__(self) -> None:
        if not self.handed():
            self.crew.run(lambda hand, _: self._drive(self._blocks[hand]), self.hands)

    def handed(self) -> bool:
        """Whether the others were waiting; then everything is done."""
        return self.crew.hand_over(self._address)


class SmallCall:
    """``shared``, if the others are waiting for it, else ``alone``: to wake them takes longer than the work.

    They are woken once calls follow each other quickly.
    """

    def __init__(self, alone: Call, shared: SharedCall) -> None:
        self._alone, self._shared, self._quick, self._ended = alone, shared, 0, 0.0

    def __call__(self) -> None:
        if self._shared.handed():
            return
        self._quick = self._quick + 1 if perf_counter() - self._ended < SOON else 0
        self._alone()
        self._ended = perf_counter()
        if self._quick >= QUICK:
            self._quick = 0
            self._shared.crew.run(lambda hand, hands: None, self._shared.hands)


@dataclass(frozen=True)
class Short:
    """All that a call with one input needs: where images go, what runs, where results come to lie."""

    port: Array
    run: Call
    results: tuple[Array, ...]

    def __call__(self, x: Array) -> tuple[Array, ...]:
        self.port[...] = x
        self.run()
        return tuple([result.copy() for result in self.results])
