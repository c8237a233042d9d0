"""A map put together from its phases: every s-th pixel from the same one, in both directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Kernel, Operand, Work
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
        added = self.finish.added
        return (
            Operand("phases", self.phase.size),
            Operand("target", self.target.size),
            *((Operand("added", added.size),) if added else ()),
        )

    @property
    def units(self) -> int:
        return self.target.blocks * self.target.height

    def describe(self) -> str:
        return f"{self.phase.total // self.phase.blocks} phases{self.finish.describe()}"

    def body(self, work: Work) -> None:
        to, phase, target, added = work.to, self.phase, self.target, self.finish.added
        block, y = to.divide(work.unit, target.height)
        one = phase.blocks * phase.block
        row = to.entry_of([number * one + at * phase.row for number, at in self.rows], y)
        columns = [number * one + at * phase.lanes for number, at in self.columns]
        source, result = work.buffer("phases"), work.buffer("target")
        other = work.buffer("added") if added else None
        with to.loop(target.width) as x:
            at = to.plus(phase.start, to.times(block, phase.block), row, to.entry_of(columns, x))
            value = to.get(source, at)

            def place(layout: Layout, x: object = x) -> object:
                step = to.plus(to.times(y, layout.row), to.times(x, layout.lanes))  # type: ignore[arg-type]
                return to.plus(layout.start, to.times(block, layout.block), step)

            more = to.get(other, place(added)) if added and other else None  # type: ignore[arg-type]
            to.put(self.finish.apply(to, value, more), result, place(target))  # type: ignore[arg-type]
