"""What a core does in a cycle: the numbers that the cost model reckons with, measured.

A cycle is always one in which two multiply-adds of whole vectors can be done. Some cores take vectors of
512 bits in halves: two such multiply-adds take two cycles of their clock, in which all else happens twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from striate.engine.target import Target


@dataclass(frozen=True)
class Core:
    """Cycles and bytes; ``rates``: so many bytes, read over and over, come at so many a cycle. Other cores
    use the third cache too."""

    latency: float = 5.0  # of a multiply-add, and a little for the order in which they are issued
    load: float = 0.6  # two a cycle would be 0.5, but never quite come
    tile: float = 30  # to begin and end one, besides its results
    first: int = 2**15  # bytes of the caches that a core has for itself
    second: int = 2**19
    rates: tuple[tuple[int, float], ...] = ((2**14, 64.0), (3 * 2**17, 14.0), (2**22, 8.0), (12 * 2**20, 4.5))
    memory: float = 3.6  # of more bytes than these
    panel: float = 12.0  # of a 1x1 convolution's weights from the second cache
    lines: float = 1.0  # more for a value of a transform that writes what stands between columns and rows

    def rate(self, size: int) -> float:
        """Bytes a cycle at which ``size`` bytes arrive, if they are read over and over."""
        return next((speed for room, speed in self.rates if size <= room), self.memory)


WHOLE = Core()
HALVED = Core(
    latency=2.5,
    load=0.6,
    tile=16,
    second=2**20,
    rates=((2**14, 128.0), (3 * 2**18, 40.0), (2**22, 20.0), (12 * 2**20, 12.0)),
    memory=12.0,
    panel=30.0,
    lines=3.0,
)


@cache
def core(machine: Target) -> Core:
    return HALVED if machine.halving else WHOLE
