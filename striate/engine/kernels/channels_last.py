"""An image as it arrives, plane after plane, laid out pixel by pixel, for transforms of its channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate.engine.emit import Emitter, Vector
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.layout import Layout


@dataclass(frozen=True)
class ChannelsLast(Kernel):
    """``source``: of planes. ``target``: one block, as many lanes as hold all channels, the same frame.

    Lanes beyond the last channel become 0. Unit: one row, frame and all.
    """

    family: ClassVar[str] = "channels last"
    source: Layout
    target: Layout

    @property
    def operands(self) -> tuple[Operand, ...]:
        return Operand("source", self.source.size), Operand("target", self.target.size)

    @property
    def units(self) -> int:
        return self.source.rows

    def body(self, work: Work) -> None:
        to, source, target = work.to, self.source, self.target
        wide = source.row
        count = min(to.lanes, wide)
        zero = to.pick(to.constant(0), to.constant(0), [0] * count)
        planes = range(source.first, source.first + source.blocks)
        with to.loop(-(-wide // count)) as chunk:
            x = to.least(to.times(chunk, count), wide - count)
            at = to.plus(to.times(work.unit, wide), x)
            seen = [
                to.get(work.buffer("source"), to.plus(at, plane * source.block), count) for plane in planes
            ]
            rest = [zero] * (target.lanes - len(seen))
            to.put(together(to, [*seen, *rest]), work.buffer("target"), to.times(at, target.lanes))


def together(to: Emitter, vectors: list[Vector]) -> Vector:
    """The first lanes of all vectors, then their second lanes, and so on; as many as a power of two."""
    if len(vectors) == 1:
        return vectors[0]
    even, odd = together(to, vectors[::2]), together(to, vectors[1::2])
    count = even.type.count
    return to.pick(even, odd, [lane + other for lane in range(count) for other in (0, count)])
