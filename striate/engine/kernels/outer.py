"""Sums of outer products: what every gradient of weights is. A tile of sums in registers, fed pixel by pixel.

sums[r][k] += a[pixel][r] * b[pixel][k]: values of a are spread over vectors, b is read in vectors, and the
sum over pixels is the innermost loop, so that a tile of sums is read and written once for many pixels. What
is summed at a time starts from 0: a sum of sums has far less rounding than one long sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from math import ceil

from striate.engine.emit import Emitter
from striate.engine.index import Memory, Number
from striate.engine.kernels.multiply import fits_registers, one_channel

LATENCY = 5  # cycles until a sum can be added to again, and a little more: nothing may wait


@dataclass(frozen=True)
class Pixels:
    """A loop of the sum: how many turns (at least one), and the steps from one to the next in a and in b."""

    count: Number
    a: int
    b: int


def parts(count: int, most: int) -> list[tuple[int, int, int]]:
    """``count`` in as few parts of up to ``most`` as will do, of nearly one size: (first, how many, size)."""
    pieces = ceil(count / most)
    small, large = count // pieces, count % pieces
    found = [(0, large, small + 1), (large * (small + 1), pieces - large, small)]
    return [part for part in found if part[1]]


def tile_of(rows: int, vectors: int, registers: int) -> tuple[int, int]:
    """The tile of sums that takes the fewest cycles: two multiply-adds in each; reads cost a little."""

    def cycles(tile: tuple[int, int]) -> float:
        cuts = product(parts(rows, tile[0]), parts(vectors, tile[1]))
        return sum(m * n * (max(p * q / 2, LATENCY) + (p + q) / 8) for (_, m, p), (_, n, q) in cuts)

    def fits(p: int, q: int) -> bool:
        # vectors are read before they are needed: where few values are kept, all of them need a register
        return fits_registers(p, q, registers) and (q < p or p * q + p + q <= registers)

    sizes = product(range(1, registers), range(1, registers))
    return min((tile for tile in sizes if fits(*tile)), key=cycles)


def add_outer_products(
    to: Emitter, loops: Sequence[Pixels], a: Memory, b: Memory, sums: Memory, rows: int, vectors: int
) -> None:
    """sums[r][vector q] += sum over all loops of a[r] * b[vector q]; a row of sums has all vectors."""
    high, wide = tile_of(rows, vectors, to.target.registers)
    for (q0, turns, q), (r0, again, p) in product(parts(vectors, wide), parts(rows, high)):
        with to.loop(turns) as j, to.loop(again) as i:
            vector = to.times(to.plus(q0, to.times(j, q)), to.lanes)
            row = to.plus(r0, to.times(i, p))
            place = to.moved(sums, to.plus(to.times(row, vectors * to.lanes), vector))
            _tile(to, loops, to.moved(a, row), to.moved(b, vector), place, vectors * to.lanes, (p, q))


def _tile(
    to: Emitter, loops: Sequence[Pixels], a: Memory, b: Memory, sums: Memory, row: int, size: tuple[int, int]
) -> None:
    p, q = size
    total = [[to.variable(to.constant(0)) for _ in range(q)] for _ in range(p)]
    with ExitStack() as stack:
        for loop in loops:
            turn = stack.enter_context(to.loop(loop.count))
            a, b = to.moved(a, to.times(turn, loop.a)), to.moved(b, to.times(turn, loop.b))
        one_channel(to, [(a, i) for i in range(p)], b, 0, total)
    for i, variables in enumerate(total):
        for j, variable in enumerate(variables):
            at = i * row + j * to.lanes
            to.put(to.fadd(to.get(sums, at), to.read(variable)), sums, at)
