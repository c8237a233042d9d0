"""A program seen step by step: how long each takes, and what each layer gives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any

from numpy.typing import NDArray

from striate.engine.stage import Outside
from striate.engine.steps import Plan, Step
from striate.engine.stretch import Stretch

Array = NDArray[Any]


class Watched:
    """What ``Program`` gives to those who look into it; the names without a value are a program's own."""

    plan: Plan
    _lock: threading.Lock
    _steps: list[Step]
    _stretches: list[Stretch | Outside]
    _arena: dict[str, Array]
    _make_room: Callable[[int], None]
    _share: Callable[[Stretch, int, int, int], None]
    _run: Callable[[Stretch, int], None]
    _read: Callable[[str, Mapping[str, Array], int], Array]
    _write: Callable[[str, Array], None]

    def measure(self, repeats: int = 5) -> list[float]:
        """Seconds of each compiled step for one image, alone on one thread: the least of ``repeats`` turns.

        Values are whatever lies in memory; kernels take as long for any finite numbers.
        """
        with self._lock:
            self._make_room(1)
            best = [float("inf")] * len(self._steps)
            for _ in range(repeats):
                for number in range(len(self._steps)):
                    start = perf_counter()
                    self._share(Stretch(number, 1), 1, 0, 1)
                    best[number] = min(best[number], perf_counter() - start)
            return best

    def turn(self) -> None:
        """All steps once for one image, on all threads, with whatever lies in memory."""
        with self._lock:
            self._make_room(1)
            for stretch in self._stretches:
                if isinstance(stretch, Stretch):
                    self._run(stretch, 1)

    def touch(self, root: str) -> None:
        """Read a value of one image, so that it is as near as if it had just been written."""
        self._make_room(1)
        self._arena[self.plan.buffers.get(root, root)].max()

    def each_layer(
        self, layers: Mapping[int, Sequence[int]], given: Mapping[str, Array]
    ) -> Iterator[tuple[int, str, Array]]:
        """One image, layer by layer, each given its inputs anew: its first step, its value, the value.

        ``layers``: first step -> all steps of a layer, as numbers in the plan. ``given``: all values by name.
        """
        compiled = [number for number, step in enumerate(self.plan.steps) if isinstance(step, Step)]
        rows = {number: row for row, number in enumerate(compiled)}
        with self._lock:
            self._make_room(1)
            for number in compiled[: rows[min(layers)] if layers else 0]:  # zeros around the input
                self._share(Stretch(rows[number], 1), 1, 0, 1)
            for first, steps in layers.items():
                parts = [self._steps[rows[number]] for number in steps]
                end = parts[0].covers[-1]
                read = {name for part in parts for role, name in part.part.values.items() if role != "target"}
                for name in read:  # a target may share memory with a value that is read before it lives
                    if name in given:
                        self._write(name, given[name])
                for number in steps:
                    self._share(Stretch(rows[number], 1), 1, 0, 1)
                yield first, end, self._read(end, {}, 1)
