"""The heart of every convolution: a tile of sums in registers, fed with input values and weights.

For one input channel, each input value is spread over a vector and multiplied with vectors of weights, one
lane an output channel. P values and Q vectors make P * Q multiply-adds from P + Q loads, which is why tiles
are as large as the registers allow: P * Q sums, the shorter side of the tile, and one more. An eighth of all
registers is left besides the sums, for what LLVM loads early: with 28 sums in 32 registers it spills.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from striate.engine.emit import Emitter
from striate.engine.index import Memory, Number

UNROLLED = 112  # multiply-adds in the innermost body, at most
LINE = 16  # values in a cache line
Sums = list[list[Any]]  # [input value][vector]: variables
Add = Callable[[Emitter, Any, Any, Any], Any]  # a, b, c: c + a * b


def fits_registers(values: int, vectors: int, registers: int) -> bool:
    return values * vectors + max(min(values, vectors), registers // 8) + 1 <= registers


@dataclass(frozen=True)
class Asking:
    """Weights from far away are asked for while the tiles before them are summed, evenly: memory has a rate.

    A panel of ``values`` serves ``turns`` tiles; each asks for a part of what lies ``values`` behind.
    ``turn``: which of them is being written.
    """

    values: int
    turns: int
    turn: Number

    def write(self, to: Emitter, weights: Memory, row: Number, width: int, rows: int) -> None:
        """While ``rows`` rows of ``width`` weights are read, of which ``row`` is the first."""
        part = to.plus(self.values, to.times(self.turn, self.values // self.turns))
        here, _ = to.divide(to.times(row, width), self.turns)
        for line in range(0, -(-rows * width // self.turns), LINE):
            to.prefetch(weights, to.plus(part, here, line))


@dataclass(frozen=True)
class Reduction:
    """Loops (count, step in the input, step in the weights' rows), then ``channels`` lanes of one pixel."""

    loops: list[tuple[int, int, int]]
    channels: int
    image: int = 0
    row: int = 0


def multiply(
    to: Emitter,
    parts: list[Reduction],
    image: Memory,
    weights: Memory,
    runs: Sequence[Number],
    steps: Sequence[int],
    sums: Sums,
    asking: Asking | None = None,
    following: int = 0,
    add: Add = Emitter.multiply_add,
) -> None:
    """sums[p][q] += sum over all taps and channels of image[value p] * weights[tap, channel][vector q].

    The values of a tile lie ``steps`` from the beginning of each of the ``runs``, one run after the other.
    ``asking``: None: weights are near. ``following``: how far behind each input value the one lies that the
    next tile reads there; 0: it is near. ``add``: of words of two channels, what multiplies both.
    """
    vectors = len(sums[0])
    most = max(1, UNROLLED // (len(runs) * len(steps) * vectors))

    def nest(loops: list[tuple[int, int, int]], first: Number, row: Number, deep: int) -> None:
        if loops:
            count, step, rows = loops[0]
            with to.loop(count) as i:
                nest(loops[1:], to.plus(first, to.times(i, step)), to.plus(row, to.times(i, rows)), deep)
            return
        unrolled = next(n for n in range(min(most, deep), 0, -1) if deep % n == 0)
        with to.loop(deep, unrolled) as c:
            here = to.moved(weights, to.times(to.plus(row, c), vectors * to.lanes))
            begins = [to.moved(image, to.plus(run, first, c)) for run in runs]
            inputs = [(begin, place) for begin in begins for place in steps]
            for begin, place in inputs if following else ():
                to.prefetch(begin, place + following, near=3)
            if asking:
                asking.write(to, weights, to.plus(row, c), vectors * to.lanes, unrolled)
            for channel in range(unrolled):
                places = [(begin, place + channel) for begin, place in inputs]
                one_channel(to, places, here, channel * vectors * to.lanes, sums, add)

    for part in parts:
        nest(part.loops, part.image, part.row, part.channels)


def one_channel(
    to: Emitter,
    values: Sequence[tuple[Memory, int]],
    weights: Memory,
    row: int,
    sums: Sums,
    add: Add = Emitter.multiply_add,
) -> None:
    """The shorter side of the tile is kept in registers, the longer passes by."""
    vectors = range(len(sums[0]))

    def value(p: int) -> Any:
        return to.spread(*values[p])

    def weight(q: int) -> Any:
        return to.get(weights, row + q * to.lanes)

    def term(p: int, q: int, a: Any, b: Any) -> None:
        to.store(add(to, a, b, to.read(sums[p][q])), sums[p][q])

    if len(vectors) <= len(values):
        kept = [weight(q) for q in vectors]
        for p in range(len(values)):
            passing = value(p)
            for q in vectors:
                term(p, q, passing, kept[q])
    else:
        kept = [value(p) for p in range(len(values))]
        for q in vectors:
            passing = weight(q)
            for p, held in enumerate(kept):
                term(p, q, held, passing)
