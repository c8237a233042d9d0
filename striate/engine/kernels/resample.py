"""Enlarging or reducing a map: each output pixel is a weighted mean of the four around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate.engine.emit import Emitter, Vector
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.pixel import store
from striate.engine.layout import Layout

Pairs = tuple[tuple[int, int], ...]  # for each output row (or column), the two that it lies between


@dataclass(frozen=True)
class Bilinear(Kernel):
    """Operands ``rows_share`` and ``columns_share``: how much of the second of each pair. Unit: one row."""

    family: ClassVar[str] = "bilinear"
    source: Layout
    target: Layout
    rows: Pairs
    columns: Pairs
    finish: Finish

    @property
    def operands(self) -> tuple[Operand, ...]:
        return (
            Operand("source", self.source.size),
            Operand("rows_share", self.target.height, shared=True),
            Operand("columns_share", self.target.width, shared=True),
            Operand("target", self.target.size),
            *self.finish.operands,
        )

    @property
    def units(self) -> int:
        return self.target.blocks * self.target.height

    def describe(self) -> str:
        return f"{self.source.height}x{self.source.width} pixels{self.finish.describe()}"

    def body(self, work: Work) -> None:
        to, source, target = work.to, self.source, self.target
        block, y = to.divide(work.unit, target.height)
        image = work.buffer("source")
        base = to.plus(source.start, to.times(block, source.block))
        above, below = (
            to.plus(base, to.entry_of([pair[i] * source.row for pair in self.rows], y)) for i in (0, 1)
        )
        down = to.spread(work.buffer("rows_share"), y)
        with to.loop(target.width) as x:
            across = to.spread(work.buffer("columns_share"), x)
            left, right = (to.entry_of([pair[i] * source.lanes for pair in self.columns], x) for i in (0, 1))
            ends = [
                _between(to, to.get(image, to.plus(above, at)), to.get(image, to.plus(below, at)), down)
                for at in (left, right)
            ]
            store(work, self.finish, _between(to, ends[0], ends[1], across), target, block, y, x)


def _between(to: Emitter, a: Vector, b: Vector, share: Vector) -> Vector:
    """(1 - share) * a + share * b."""
    kept = to.fsub(to.constant(1), share)
    return to.multiply_add(b, share, to.fmul(a, kept))
