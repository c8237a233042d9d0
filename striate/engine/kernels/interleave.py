"""A map put together from its phases: every s-th pixel from the same one, in both directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.pixel import store
from striate.engine.layout import Layout

Places = tuple[tuple[int, int], ...]  # for each row (or column) of the whole: which phase, and where in it


@dataclass(frozen=True)
class Interleave(Kernel):
    """``phase``: the first of ``count`` phases of one size, which lie one after the other.

    Row y and column x of the whole is phase ``rows[y][0] + columns[x][0]``, at ``rows[y][1]`` and
    ``columns[x][1]``. Unit: one row of one block of channels.
    """

    family: ClassVar[str] = "interleave"
    phase: Layout
    target: Layout
    rows: Places
    columns: Places
    finish: Finish

    @property
    def operands(self) -> tuple[Operand, ...]:
        return (
            Operand("phases", self.phase.size),
            Operand("target", self.target.size),
            *self.finish.operands,
        )

    @property
    def units(self) -> int:
        return self.target.blocks * self.target.height

    def describe(self) -> str:
        return f"{self.phase.total // self.phase.blocks} phases{self.finish.describe()}"

    def body(self, work: Work) -> None:
        to, phase, target = work.to, self.phase, self.target
        block, y = to.divide(work.unit, target.height)
        one = phase.blocks * phase.block
        row = to.entry_of([number * one + at * phase.row for number, at in self.rows], y)
        columns = [number * one + at * phase.lanes for number, at in self.columns]
        source = work.buffer("phases")
        with to.loop(target.width) as x:
            at = to.plus(phase.start, to.times(block, phase.block), row, to.entry_of(columns, x))
            store(work, self.finish, to.get(source, at), target, block, y, x)
