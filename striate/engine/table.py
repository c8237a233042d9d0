"""What will run, layer by layer: the table that ``net.plan()`` gives."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from time import perf_counter

import numpy as np

from striate.engine.kernels.peak import Peak
from striate.engine.kernels.storage import BF16, DOTS, EXPECTED, EXPECTED_OF_DOTS
from striate.engine.memory import allocate
from striate.engine.program import Program
from striate.engine.ready import Loaded, code_of
from striate.engine.steps import Step
from striate.engine.target import Target

HEADS = (
    *("layer", "kernel", "tile", "million multiply-adds", "KB of weights"),
    *("chosen by", "images", "ms predicted", "ms", "of peak", "error"),
)


@dataclass(frozen=True)
class Line:
    """One step. ``seconds``: alone, on one thread, for one image; ``share``: of the measured peak
    of float32, which products of bf16 can exceed twofold;
    ``predicted``: the seconds that the cost model expects (with the step before it, if that has no tile).
    ``chosen``: by the model or by measurement, of how many forms; empty where there was no choice.
    ``error``: relative, of the layers that end here, against float64 on the same inputs.
    ``storage``: "bf16" where weights are rounded to that in memory, "bf16 dots" where maps are, too, and
    their products are summed, "fp32" where all is as it was given.

    ``images``: of a batch, that pass through this step and its neighbours together; None: all of them.

    ``multiply_adds`` are those carried out, not those of the definition; ``weight_bytes``: as packed.
    """

    layers: tuple[str, ...]
    kernel: str
    tile: str
    multiply_adds: int = 0
    weight_bytes: int = 0
    seconds: float | None = None
    share: float | None = None
    error: float | None = None
    chosen: str = ""
    predicted: float | None = None
    storage: str = "fp32"
    images: int | None = None

    def cells(self) -> tuple[str, ...]:
        others = f" +{len(self.layers) - 1}" if len(self.layers) > 1 else ""
        return (
            (self.layers[0] if self.layers else "") + others,
            self.kernel,
            self.tile,
            f"{self.multiply_adds / 1e6:.1f}" if self.multiply_adds else "",
            f"{self.weight_bytes / 1024:.0f}{self._stored}" if self.weight_bytes else "",
            self.chosen,
            f"{self.images}" if self.images else "",
            f"{self.predicted * 1e3:.3f}" if self.predicted else "",
            f"{self.seconds * 1e3:.3f}" if self.seconds is not None else "",
            f"{self.share:.0%}" if self.share else "",
            f"{self.error:.1e}" if self.error is not None else "",
        )

    @property
    def _stored(self) -> str:
        return "" if self.storage == "fp32" else f" {self.storage}"


@dataclass(frozen=True)
class Table:
    """``str(table)`` is for reading, and leaves out columns that no line fills.

    ``map_bytes``: of one image. ``reason``: why NumPy runs all.
    ``threads``: how many work on a call; ``asked``: how many were asked for, None where nobody did.
    """

    lines: tuple[Line, ...]
    map_bytes: int
    target: str
    reason: str | None = None
    threads: int = 1
    asked: int | None = None

    def __str__(self) -> str:
        if self.reason is not None:
            return f"every layer runs in NumPy: {self.reason}"
        columns = zip(HEADS, *(line.cells() for line in self.lines), strict=True)
        filled = [column for column in columns if any(column[1:])]
        rows, widths = zip(*filled, strict=True), [max(map(len, column)) for column in filled]
        shown = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        for storage, what, error in (
            (BF16, "bf16 weights", EXPECTED),
            (DOTS, "products of bf16, of maps and weights,", EXPECTED_OF_DOTS),
        ):
            count = sum(line.storage == storage.name for line in self.lines)
            if count:
                shown.append(
                    f"{what} in {count} layer{'s' * (count > 1)}: each is rounded by 2^-8 of itself at "
                    f"most, such a layer's result is expected to be off by {error:.1e} of its size"
                )
        return "\n".join([*shown, self._where])

    @property
    def _where(self) -> str:
        more = self.asked is not None and self.asked > self.threads
        return (
            f"{self.target}, {self.threads} thread{'s' * (self.threads > 1)}"
            + (f" of {self.asked:,} asked for, one for each usable processor" if more else "")
            + f"; the maps of one image take {self.map_bytes / 1e6:.1f} MB"
        )


def table_of(program: Program, target: Target, *, measure: bool, errors: Mapping[int, float]) -> Table:
    """``measure``: run every step some times, and a loop on registers for the peak.

    ``errors``: of steps, by their number in the plan.
    """
    seconds = iter(program.measure() if measure else [])
    peak = measured_peak(target) if measure else None
    together = (section.images for section in program.plan.sections for _ in range(section.steps))
    lines = []
    for number, step in enumerate(program.plan.steps):
        if not isinstance(step, Step):
            lines.append(Line((step.name,), "numpy", type(step.op).__name__))
            continue
        kernel, time = step.part.kernel, next(seconds, None)
        share = kernel.multiply_adds / time / peak if time and peak else None
        weights = sum(4 * array.size for array in step.part.constants.values())
        told = (
            kernel.family,
            kernel.describe(),
            kernel.multiply_adds,
            weights,
            time,
            share,
            errors.get(number),
            step.part.why,
            step.part.cycles * 2 * target.lanes / peak if peak and step.part.cycles else None,
            kernel.storage,
            next(together, None),
        )
        lines.append(Line(step.covers, *told))
    return Table(tuple(lines), 4 * program.plan.arena, f"{target.name} ({target.cpu})")


@cache
def measured_peak(target: Target) -> float:
    """Multiply-adds a second of one thread, the best of ten turns of a few milliseconds."""
    kernel = Peak(target.lanes, target.registers - 4)
    loaded = Loaded(code_of([kernel], target), target)
    values = allocate(kernel.operands[0].size)
    table = np.array([values.ctypes.data], np.int64)
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    run = ctypes.CFUNCTYPE(None, pointer, number, number, number, pointer)(loaded.addresses[kernel.symbol])
    best = float("inf")
    for _ in range(10):
        start = perf_counter()
        run(table.ctypes.data, 0, 1, 1, None)
        best = min(best, perf_counter() - start)
    return kernel.multiply_adds / best
