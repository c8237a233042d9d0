"""How large a tile of outputs should be: as many sums as registers hold, in a form that fits the map."""

from __future__ import annotations

from functools import lru_cache

from striate.engine.kernels.finish import Finish
from striate.engine.kernels.winograd import Scheme
from striate.engine.layout import Layout
from striate.engine.target import Target

LATENCY = 8  # multiply-adds that must be under way at once: 4 cycles of 2 a cycle
PER_TILE = 30  # cycles to begin and end a tile, besides its results


@lru_cache(maxsize=4096)
def direct_tile(height: int, width: int, blocks: int, depth: int, machine: Target) -> tuple[int, int, int]:
    """(rows, columns, vectors) with the least estimated time.

    ``depth``: multiply-adds for one value. Counted in cycles of a core with two multiply-adds and two loads a
    cycle: a tile's turn takes as long as its sums, its loads, the latency of one sum, or the arrival of its
    weights, if they do not stay in the first-level cache; whichever is longest.
    """
    best, choice = float("inf"), (1, 1, 1)
    for vectors in range(1, min(blocks, 8) + 1):
        room = (machine.registers - 1 - vectors) // vectors
        weights = 4 * machine.lanes * vectors
        arrival = weights / NEAR_BYTES_PER_CYCLE if weights * depth > FIRST_CACHE else 0
        for columns in range(1, min(width, room) + 1):
            for rows in range(1, min(height, room // columns) + 1):
                pixels = rows * columns
                turn = max(pixels * vectors / 2, (pixels + vectors) / 2, LATENCY / 2, arrival)
                tiles = -(-height // rows) * -(-width // columns) * -(-blocks // vectors)
                cycles = tiles * (depth * turn + pixels * vectors + PER_TILE)
                if cycles < best:
                    best, choice = cycles, (rows, columns, vectors)
    return choice


FIRST_CACHE = 2**15  # bytes
NEAR_BYTES_PER_CYCLE = 12.0  # of weights from the second-level cache
BYTES_PER_CYCLE = 3.5  # of weights from beyond the second-level cache, one thread, prefetched
CACHE = 2**20  # bytes of that cache that a thread's data may fill


def winograd_scheme(
    source: Layout, target: Layout, before: tuple[int, int], finish: Finish, machine: Target
) -> Scheme | None:
    """The cheapest of F(4x4) and F(2x2), or None where the plain sum is estimated to be as fast.

    A layer takes as long as its multiply-adds or the arrival of its weights, of which Winograd's forms have
    four times (m = 4) or nearly twice (m = 2) as many; transforms come on top.
    """
    weights = 4 * source.channels * target.channels
    sums = target.pixels * 9 * source.channels * target.blocks / 2
    best, choice = max(sums, 9 * weights / BYTES_PER_CYCLE), None
    for m in (4, 2):
        if min(target.height, target.width) < m:
            continue
        n = m + 2
        tiles = -(-target.height // m) * -(-target.width // m)
        together = _together(tiles, n, source, machine)
        tile = _product_tile(together, target.blocks, machine.registers)
        scheme = Scheme(source, target, m, before, together, tile, finish)
        product = scheme.multiply_adds / machine.lanes / 2
        read = n * n * weights * (1 if n * n * weights < CACHE else -(-tiles // together))
        transforms = tiles * n * n * (3 * source.blocks + 2 * target.blocks)
        cycles = max(product, read / BYTES_PER_CYCLE) + transforms
        if cycles < best:
            best, choice = cycles, scheme
    return choice


def _together(tiles: int, n: int, source: Layout, machine: Target) -> int:
    """All tiles, if there are few; else as many as leave V in the cache."""
    room = CACHE // (4 * n * n * source.blocks * machine.lanes)
    if tiles <= 64:
        return tiles
    most = max(8, min(tiles, room, 56))
    return -(-tiles // -(-tiles // most))


def _product_tile(together: int, blocks: int, registers: int) -> tuple[int, int]:
    """(tiles, vectors of outputs) with the least estimated time."""
    best, choice = float("inf"), (1, 1)
    for vectors in range(1, min(blocks, 4) + 1):
        for tiles in range(1, min(together, (registers - 1 - vectors) // vectors) + 1):
            turn = max(tiles * vectors, tiles + vectors, LATENCY)
            rounds = -(-together // tiles) * -(-blocks // vectors)
            cost = rounds * (turn + 1)
            if cost < best:
                best, choice = cost, (tiles, vectors)
    return choice
