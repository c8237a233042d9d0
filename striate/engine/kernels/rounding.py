"""A map rounded to bf16, two channels in a word: for kernels that read it many times and copy nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate.engine.kernels.dots import joined
from striate.engine.kernels.grouped import row_at
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.layout import Layout


def in_words(source: Layout) -> Layout:
    """The same map as words of two channels, without a frame: a block for every two of its blocks."""
    return Layout(-(-source.channels // 2), source.height, source.width, source.lanes)


@dataclass(frozen=True)
class Rounded(Kernel):
    """``target``: ``in_words`` of the source; words beyond its channels hold anything. Unit: a row of a
    block."""

    family: ClassVar[str] = "rounding"
    source: Layout
    target: Layout

    @property
    def operands(self) -> tuple[Operand, ...]:
        return (Operand("source", self.source.size), Operand("target", self.target.size))

    @property
    def units(self) -> int:
        return self.target.blocks * self.target.height

    def describe(self) -> str:
        return f"{self.target.channels} words of two channels"

    def body(self, work: Work) -> None:
        to, source = work.to, self.source
        block, y = to.divide(work.unit, self.target.height)
        first = to.times(block, 2)
        second = to.least(to.plus(first, 1), source.blocks - 1)  # of an odd number the last has nothing above
        lower, upper = (row_at(to, source, number, y) for number in (first, second))
        there = row_at(to, self.target, block, y)
        with to.loop(source.width) as x:
            at = to.times(x, source.lanes)
            values = (to.get(work.buffer("source"), to.plus(row, at)) for row in (lower, upper))
            to.put(joined(to, *values), work.buffer("target"), to.plus(there, at))
