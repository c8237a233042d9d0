"""Channels put together from several maps: what is left of Concat, Slice and ChannelShuffle when they have to move.

A vector of output channels is gathered from at most ``lanes`` vectors of input channels by permutations that
are known when the code is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate.engine.emit import Vector
from striate.engine.index import Number
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.layout import Layout


@dataclass(frozen=True)
class MoveBlock(Kernel):
    """Output block ``block``: its lane i is channel ``places[i][1]`` of source ``places[i][0]``.

    One kernel an output block, since every block has permutations of its own. Unit: one row.
    """

    family: ClassVar[str] = "move"
    sources: tuple[Layout, ...]
    target: Layout
    block: int
    places: tuple[tuple[int, int], ...]

    @property
    def operands(self) -> tuple[Operand, ...]:
        return (
            *(Operand(f"source{i}", layout.size) for i, layout in enumerate(self.sources)),
            Operand("target", self.target.size),
        )

    @property
    def units(self) -> int:
        return self.target.height

    def describe(self) -> str:
        return f"{len(self.places)} channels of {len(self.sources)} maps"

    def body(self, work: Work) -> None:
        to, target = work.to, self.target
        lanes = to.lanes
        parts: dict[tuple[int, int], list[int]] = {}  # (source, block) -> for each output lane, where in it
        for lane, (source, channel) in enumerate(self.places):
            block, place = divmod(channel, self.sources[source].lanes)
            parts.setdefault((source, block), [-1] * lanes)[lane] = place
        with to.loop(target.width) as x:
            total: Vector = to.constant(0)
            for (source, block), wanted in parts.items():
                layout = self.sources[source]
                at = _place(work, layout, block, x)
                value = to.get(work.buffer(f"source{source}"), at)
                mask = [lanes + place if place >= 0 else lane for lane, place in enumerate(wanted)]
                total = to.pick(total, value, mask)
            to.put(total, work.buffer("target"), _place(work, target, self.block, x))


def _place(work: Work, layout: Layout, block: int, x: Number) -> Number:
    to = work.to
    rows = to.plus(to.times(work.unit, layout.row), to.times(x, layout.lanes))
    return to.plus(layout.start + block * layout.block, rows)
