"""How large a tile of outputs should be: as many sums as registers hold, in a form that fits the map."""

from __future__ import annotations

from functools import lru_cache

LATENCY = 8  # multiply-adds that must be under way at once: 4 cycles of 2 a cycle
PER_TILE = 30  # cycles to begin and end a tile, besides its results


@lru_cache(maxsize=4096)
def direct_tile(height: int, width: int, blocks: int, depth: int, registers: int) -> tuple[int, int, int]:
    """(rows, columns, vectors) with the least estimated time.

    ``depth``: multiply-adds for one value. Counted in cycles of a core with two multiply-adds and two loads a
    cycle: a tile's turn takes as long as its sums, its loads, or the latency of one sum, whichever is longest.
    """
    best, choice = float("inf"), (1, 1, 1)
    for vectors in range(1, min(blocks, 8) + 1):
        room = (registers - 1 - vectors) // vectors
        for columns in range(1, min(width, room) + 1):
            for rows in {1, max(1, min(height, room // columns))}:
                pixels = rows * columns
                turn = max(pixels * vectors, pixels + vectors, LATENCY) / 2
                tiles = -(-height // rows) * -(-width // columns) * -(-blocks // vectors)
                cycles = tiles * (depth * turn + pixels * vectors + PER_TILE)
                if cycles < best:
                    best, choice = cycles, (rows, columns, vectors)
    return choice
