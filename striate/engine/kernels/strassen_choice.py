"""Whether a 1x1 convolution is worth Strassen's product, once or twice, and with which tile."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import ceil

from striate.engine.kernels.core import core
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.seven import STEPS
from striate.engine.kernels.strassen import Strassen
from striate.engine.kernels.tile import tiles_in_registers, turn, uneven
from striate.engine.layout import Layout
from striate.engine.target import Target

ROOM = {1: 3 / 4, 2: 3 / 2}  # by levels, of the second cache: for copied pixels; measured
FEWEST = 32  # pixels and channels, in and out: with fewer, nothing is left of what seven products save
COPY = {1: 20.0, 2: 44.0}  # by levels, cycles for seven vectors that are copied, with their sums; measured
TRIED = 4  # tiles that may be cut evenly for all threads
END = 30.0  # cycles to begin and end a tile; measured


@lru_cache(maxsize=1024)
def strassen(
    source: Layout,
    target: Layout,
    stride: tuple[int, int],
    finish: Finish,
    machine: Target,
    threads: int,
    gate: Layout | None = None,
) -> Strassen | None:
    """The kernel for these maps that is estimated to be fastest; None where no halves are whole and large."""
    found = [one for n in ROOM for one in _with(n, source, target, stride, finish, machine, gate)]
    cuts = [
        replace(one, cut=n)
        for one in found
        for n in range(one.groups, 0, -1)
        if one.groups % n == 0 and (threads > 1 or n == one.groups)
    ]
    return min(cuts, key=lambda one: strassen_cycles(one, machine) * uneven(one.units, threads), default=None)


def _with(
    levels: int,
    source: Layout,
    target: Layout,
    stride: tuple[int, int],
    finish: Finish,
    machine: Target,
    gate: Layout | None,
) -> list[Strassen]:
    """With the best tiles; none where parts are not whole, or too small."""
    side, products = 2**levels, len(STEPS) ** levels
    small = min(source.channels, target.channels, target.pixels) < FEWEST * side // 2
    odd = source.blocks % side or target.blocks % side
    if source.lanes != target.lanes or target.lanes == 1 or small or odd:
        return []
    near, of_part = core(machine).second, 4 * products / side**2  # bytes for each value
    far = of_part * source.blocks * target.blocks * target.lanes**2 > near // 2
    copied = of_part * source.blocks * source.lanes * target.pixels
    strips = min(ceil(copied / (ROOM[levels] * near)), target.pixels // (2 * machine.registers))
    plain = Strassen(source, target, stride, (1, 1), max(1, strips), 1, far, finish, gate, levels)
    tiles = tiles_in_registers(min(plain.share, machine.registers), min(plain.wide, 6), machine.registers)
    whole = [replace(plain, tile=tile, cut=-(-plain.wide // tile[1])) for tile in tiles]
    return sorted(whole, key=lambda one: strassen_cycles(one, machine))[:TRIED]


def strassen_cycles(kernel: Strassen, machine: Target) -> float:
    """Estimated, of all units on one thread: products with their sums, and the copies."""
    p, q = kernel.tile
    one = kernel.deep * machine.lanes * turn(p, q, machine) + 3 * p * q + END
    products = kernel.products * kernel.strips * kernel.groups * kernel.tiles * one
    size = 4 * kernel.operands[1].size
    copies = kernel.units * kernel.tiles * kernel.deep * p * kernel.products / len(STEPS)
    return max(products, size / core(machine).rate(size)) + copies * COPY[kernel.levels]
