"""The zeros around a map: written each time, because the memory belonged to another map before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate.engine.emit import Emitter
from striate.engine.index import Memory, Number
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.layout import Layout


@dataclass(frozen=True)
class Frame(Kernel):
    """``target``: the whole buffer, all blocks."""

    family: ClassVar[str] = "frame"
    target: Layout

    @property
    def operands(self) -> tuple[Operand, ...]:
        return (Operand("target", self.target.size),)

    @property
    def units(self) -> int:
        return self.target.total or self.target.blocks

    def body(self, work: Work) -> None:
        clear_frame(work.to, work.buffer("target"), self.target, work.to.times(work.unit, self.target.block))


def clear_frame(to: Emitter, buffer: Memory, layout: Layout, block: Number) -> None:
    """Of one block: rows above, rows below, and what stands left and right of each row."""
    top, left, bottom, right = layout.frame
    clear(to, buffer, block, top * layout.row)
    below = (top + layout.height) * layout.row
    clear(to, buffer, to.plus(block, below), bottom * layout.row)
    if left or right:
        with to.loop(layout.height) as y:
            row = to.plus(block, top * layout.row, to.times(y, layout.row))
            clear(to, buffer, row, left * layout.lanes)
            clear(to, buffer, to.plus(row, (left + layout.width) * layout.lanes), right * layout.lanes)


def clear(to: Emitter, buffer: Memory, start: Number, count: int) -> None:
    """``count`` zeros: whole vectors in a loop, then single values."""
    vectors = count // to.lanes
    if vectors:
        with to.loop(vectors) as i:
            to.put(to.constant(0), buffer, to.plus(start, to.times(i, to.lanes)))
    for rest in range(vectors * to.lanes, count):
        to.put(to.pick(to.constant(0), to.constant(0), [0]), buffer, to.plus(start, rest))
