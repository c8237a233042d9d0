"""Kernels as functions on raw addresses, for who has memory and threads of its own: training uses them so.

A ``Call`` is a kernel, the addresses of its operands, and how many units of its work there are. Calls that
follow each other are handed over together; all threads meet after each of them. Threads are those of the
OpenMP library that the process has loaded (torch's kernels use them, and they spin for a while after each,
so that threads beside them would find no free core), else a crew of our own.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from striate.engine import cache, openmp
from striate.engine.compiled import DRIVER, FIELDS
from striate.engine.crew import Crew
from striate.engine.drive import driver
from striate.engine.entry import ARGUMENTS, GIVE_WAY, PROTOTYPE, meeting_size
from striate.engine.fork import renew_in_children
from striate.engine.memory import allocate, lines
from striate.engine.ready import Loaded
from striate.engine.target import Target

if TYPE_CHECKING:
    from striate.engine.kernels.kernel import Kernel


@dataclass(frozen=True)
class Call:
    """``addresses``: one for each of the kernel's operands, in order. ``units``: of its work, which threads
    share out: those of one image times the images, or of the whole batch, or what else the kernel counts.

    Nothing checks that memory of the operands' sizes lies there.
    """

    kernel: Kernel
    addresses: Sequence[int]
    units: int


class Functions:
    """Compiled kernels, found by their equality. One thread is in ``run`` at a time."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._loaded: list[Loaded] = []
        self._addresses: dict[Kernel, int] = {}
        self._items: dict[Kernel, int] = {}  # of scratch that a thread needs
        self._openmp: openmp.OpenMP | None = None
        self._drive = 0
        self._scratch = np.empty(0, np.float32)
        renew_in_children(self)

    def renew(self) -> None:
        """Locks and threads of this process."""
        self._lock, self._crew = threading.Lock(), Crew()

    def missing(self, kernels: Sequence[Kernel]) -> list[Kernel]:
        """Those that ``prepare`` would have to read or to compile, each once."""
        return [kernel for kernel in dict.fromkeys(kernels) if kernel not in self._addresses]

    def uncompiled(self, kernels: Sequence[Kernel]) -> list[Kernel]:
        """Those of them that are not on disk either."""
        return [
            kernel
            for kernel in self.missing(kernels)
            if cache.read(cache.key(repr(kernel), self.target)) is None
        ]

    def prepare(self, kernels: Sequence[Kernel]) -> None:
        """Have their machine code at hand: from the cache on disk, or compiled now, all together."""
        from striate.engine.build import build

        with self._lock:
            wanted = self.missing(kernels)
            if not wanted:
                return
            loaded = Loaded(build(wanted, self.target), self.target)
            self._loaded.append(loaded)
            if not self._drive:
                self._start()
            self._items |= {kernel: kernel.scratch for kernel in wanted}
            self._addresses |= {kernel: loaded.addresses[kernel.symbol] for kernel in wanted}

    def _start(self) -> None:
        loaded = Loaded({DRIVER: driver(self.target)}, self.target)
        self._loaded.append(loaded)
        self._drive = loaded.addresses[DRIVER]
        self._openmp = openmp.found(self.target)

    def run(self, calls: Sequence[Call], images: int, threads: int) -> None:
        """Make the calls in order, each shared by so many threads; kernels are prepared where they are not.

        ``images``: what a kernel is told is the size of the batch.
        """
        self.prepare([call.kernel for call in calls])
        tables = [np.array(call.addresses, np.int64) for call in calls]
        rows = [
            (self._addresses[call.kernel], table.ctypes.data, call.units, 1, 1, 0, 0)
            for call, table in zip(calls, tables, strict=True)
        ]
        steps = np.array(rows, np.int64).reshape(-1, FIELDS)
        each = lines(max((self._items[call.kernel] for call in calls), default=0))
        with self._lock:
            if self._scratch.size < each * threads:
                self._scratch = allocate(each * threads)
            meeting = np.zeros(meeting_size(len(steps), threads), np.int64)
            record = (
                *(steps.ctypes.data, len(steps), images, self._scratch.ctypes.data),
                *(4 * each, meeting.ctypes.data, GIVE_WAY),
            )
            if self._openmp is not None:
                self._openmp.run(self._drive, record, threads)
            elif threads == 1:
                self._share(record, 0, 1)
            else:
                self._crew.run(partial(self._share, record), threads)

    def _share(self, record: tuple[int, ...], hand: int, hands: int) -> None:
        steps, count, images, scratch, each, meeting, give_way = record
        own = scratch + hand * each
        told = ARGUMENTS(steps, count, images, hand, hands, own, meeting, give_way)
        PROTOTYPE(self._drive)(told)


__all__ = ["Call", "Functions"]
