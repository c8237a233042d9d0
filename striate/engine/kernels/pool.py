"""Pooling: the largest, smallest or mean value of a window, a vector of channels at a time.

Padding never enters: for an extreme, a tap that falls outside the map is replaced by one of the same window
inside it, which changes nothing; for a mean, outside taps read the frame's zeros and a table has the factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate.engine.emit import Vector
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.pixel import store
from striate.engine.layout import Layout

Taps = tuple[tuple[int, ...], ...]  # for each output row (or column), the input rows (columns) it reads


@dataclass(frozen=True)
class Pool(Kernel):
    """``rows`` and ``columns``: which input rows and columns each output reads, all of one length.

    ``kind``: "max", "min" or "mean". For a mean, operand ``factors`` holds one factor for each output pixel,
    in every lane. A mean may read up to ``frame`` pixels outside the map.
    """

    family: ClassVar[str] = "pool"
    source: Layout
    target: Layout
    kind: str
    rows: Taps
    columns: Taps
    finish: Finish

    @property
    def operands(self) -> tuple[Operand, ...]:
        target = self.target
        factors = Operand("factors", target.pixels * target.lanes, shared=True)
        return (
            Operand("source", self.source.size),
            Operand("target", target.size),
            *((factors,) if self.kind == "mean" else ()),
            *self.finish.operands,
        )

    @property
    def units(self) -> int:
        return self.target.blocks * self.target.height

    def describe(self) -> str:
        return f"{self.kind} of {len(self.rows[0])}x{len(self.columns[0])}{self.finish.describe()}"

    def body(self, work: Work) -> None:
        """One row of one block of channels."""
        to, source, target = work.to, self.source, self.target
        block, y = to.divide(work.unit, target.height)
        image = work.buffer("source")
        base = to.plus(source.start, to.times(block, source.block))
        starts = [
            to.plus(base, to.times(to.entry_of([taps[i] for taps in self.rows], y), source.row))
            for i in range(len(self.rows[0]))
        ]
        with to.loop(target.width) as x:
            total: Vector | None = None
            for j in range(len(self.columns[0])):
                column = to.times(to.entry_of([taps[j] for taps in self.columns], x), source.lanes)
                for start in starts:
                    value = to.get(image, to.plus(start, column))
                    total = value if total is None else self._join(work, total, value)
            if self.kind == "mean":
                pixel = to.plus(to.times(y, target.width), x)
                total = to.fmul(total, to.get(work.buffer("factors"), to.times(pixel, target.lanes)))
            store(work, self.finish, total, target, block, y, x)

    def _join(self, work: Work, a: Vector, b: Vector) -> Vector:
        if self.kind == "mean":
            return work.to.fadd(a, b)
        name = "llvm.maximum" if self.kind == "max" else "llvm.minimum"  # NaN stays
        return work.to.intrinsic(name, a, b)


@dataclass(frozen=True)
class GlobalMean(Kernel):
    """The mean of every channel over the map (or its sum: ``factor`` 1). Unit: a block of channels."""

    family: ClassVar[str] = "global mean"
    source: Layout
    target: Layout
    factor: float
    finish: Finish

    @property
    def operands(self) -> tuple[Operand, ...]:
        return Operand("source", self.source.size), Operand("target", self.target.size)

    @property
    def units(self) -> int:
        return self.target.blocks

    def describe(self) -> str:
        return f"{self.source.height}x{self.source.width}{self.finish.describe()}"

    def body(self, work: Work) -> None:
        """Four sums side by side, so that one addition need not wait for the last."""
        to, source, target = work.to, self.source, self.target
        image = work.buffer("source")
        base = to.plus(source.start, to.times(work.unit, source.block))
        sums = [to.variable(to.constant(0)) for _ in range(4)]
        whole, rest = divmod(source.width, 4)
        with to.loop(source.height) as y:
            row = to.plus(base, to.times(y, source.row))
            if whole:
                with to.loop(whole) as quarter:
                    at = to.plus(row, to.times(quarter, 4 * source.lanes))
                    for i, variable in enumerate(sums):
                        value = to.get(image, to.plus(at, i * source.lanes))
                        to.store(to.fadd(to.read(variable), value), variable)
            for i in range(rest):
                value = to.get(image, to.plus(row, (4 * whole + i) * source.lanes))
                to.store(to.fadd(to.read(sums[i]), value), sums[i])
        a, b, c, d = (to.read(variable) for variable in sums)
        total = to.fmul(to.fadd(to.fadd(a, b), to.fadd(c, d)), to.constant(self.factor))
        at = to.plus(target.start, to.times(work.unit, target.block))
        to.put(self.finish.apply(to, total), work.buffer("target"), at)
