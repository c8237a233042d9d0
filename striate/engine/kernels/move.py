"""Channels put together from several maps: Concat, Slice and ChannelShuffle, where they have to move.

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

Places = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Gathering(Kernel):
    """Output channel c is channel ``places[c][1]`` of source ``places[c][0]``. Unit: one row."""

    family: ClassVar[str] = "move"
    sources: tuple[Layout, ...]
    target: Layout
    places: Places

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
        for first, count in self._runs():
            with work.to.loop(count) as i:
                self._block(work, first, i)

    def _runs(self) -> list[tuple[int, int]]:
        """(first block, number) of neighbours that are gathered alike, each one block further on."""
        runs: list[tuple[int, int]] = []
        for block in range(self.target.blocks):
            if runs:
                first, count = runs[-1]
                if self._wanted(block) == self._shifted(self._wanted(first), block - first):
                    runs[-1] = (first, count + 1)
                    continue
            runs.append((block, 1))
        return runs

    def _wanted(self, block: int) -> dict[tuple[int, int], list[int]]:
        """(source, its block) -> for each output lane, the lane to take, or -1."""
        lanes = self.target.lanes
        parts: dict[tuple[int, int], list[int]] = {}
        for lane, (source, channel) in enumerate(self.places[block * lanes : (block + 1) * lanes]):
            its, place = divmod(channel, self.sources[source].lanes)
            parts.setdefault((source, its), [-1] * lanes)[lane] = place
        return parts

    @staticmethod
    def _shifted(wanted: dict[tuple[int, int], list[int]], by: int) -> dict[tuple[int, int], list[int]]:
        return {(source, block + by): lanes for (source, block), lanes in wanted.items()}

    def _block(self, work: Work, first: int, i: Number) -> None:
        """Block ``first + i`` of the output, whose sources are i blocks further than those of ``first``."""
        to, lanes = work.to, work.to.lanes
        with to.loop(self.target.width) as x:
            total: Vector = to.constant(0)
            for (source, block), wanted in self._wanted(first).items():
                layout = self.sources[source]
                value = to.get(work.buffer(f"source{source}"), _place(work, layout, block, i, x))
                mask = [lanes + place if place >= 0 else lane for lane, place in enumerate(wanted)]
                total = to.pick(total, value, mask)
            to.put(total, work.buffer("target"), _place(work, self.target, first, i, x))


def _place(work: Work, layout: Layout, block: int, i: Number, x: Number) -> Number:
    to = work.to
    rows = to.plus(to.times(work.unit, layout.row), to.times(x, layout.lanes))
    return to.plus(layout.start + block * layout.block, to.times(i, layout.block), rows)
