"""How large tiles should be: the cost model. All times are cycles of a core with two multiply-adds a cycle.

A turn of the innermost loop (one input channel of one tile) takes as long as its sums, its loads, or the
latency of one sum, whichever is longest. Data comes from where it was last: the first or second cache, the
third, which is shared with others, or memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from striate.engine.kernels.core import core
from striate.engine.kernels.direct import Tile, Window
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.multiply import fits_registers
from striate.engine.kernels.winograd import Scheme
from striate.engine.kernels.winograd_transforms import AT_ONCE
from striate.engine.layout import Layout
from striate.engine.target import Target

SHALLOW = 512  # multiply-adds for one value: below it results and the next input are asked for early
FRESH = 1.0  # cycles for each vector of weights that is transformed in a call
FRESH_ROOM = 5 / 4  # of the first cache, for weights transformed in a call that are at hand
NEARLY = 1.1  # times the least estimate: so near, weights transformed in a call win, for a batch shares them
CLOSE = 768  # input channels, at most, of tiles of 6 x 6: their error is twice that of 4 x 4
# outputs of a tile each way, by kernel size and stride: of at most seven points, and one at infinity
OUTPUTS = {(3, 1): (6, 4, 2), (5, 1): (2,), (3, 2): (4, 2), (5, 2): (4, 2), (7, 2): (3, 2)}
IN_LINE = {3: (6, 4, 2), 5: (4, 2), 7: (2,)}  # of a kernel along one axis, of stride 1
MOST_TURNS = 16  # of tiles whose transforms are at hand, where they are not all
SHARES = 4  # pieces of work at least: a single one would leave all threads but one idle


@lru_cache(maxsize=1024)
def turn(values: int, vectors: int, machine: Target) -> float:
    """Cycles of one input channel of a tile. LLVM likes to load the next weights early, and spills for it."""
    of, crowded = core(machine), values * vectors + min(values, vectors) + 3 > machine.registers
    return max(values * vectors / 2, (values + vectors) * of.load, of.latency) * (1.03 if crowded else 1)


def tiles_in_registers(values: int, vectors: int, registers: int) -> Iterator[tuple[int, int]]:
    """(P, Q) with P up to ``values`` and Q up to ``vectors``."""
    for q in range(1, vectors + 1):
        for p in range(1, values + 1):
            if fits_registers(p, q, registers):
                yield p, q


# --- direct ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def direct_tiles(
    source: Layout, target: Layout, window: Window, span: int, blocks: int, machine: Target
) -> tuple[Tile, ...]:
    """For every number of vectors the best tile, the least estimated time first.

    ``blocks``: output vectors that see the same input.
    """
    found: dict[int, tuple[float, Tile]] = {}
    for columns in range(1, min(target.width, machine.registers) + 1):
        runs_a_row = -(-target.width // columns)
        most = min(machine.addresses, target.height * runs_a_row)
        for runs in range(1, most + 1):
            for vectors in range(1, min(blocks, machine.registers) + 1):
                if not fits_registers(runs * columns, vectors, machine.registers):
                    break
                tiles = -(-target.height * runs_a_row // runs)
                tile = Tile(runs, columns, vectors, _strip(source, target, window, span, tiles, machine))
                cycles = direct_cycles(tile, tiles, target, window, span, machine)
                if vectors not in found or cycles < found[vectors][0]:
                    found[vectors] = cycles, tile
    total = 4 * target.blocks * target.lanes * window.taps * span
    shallow = window.taps * span <= SHALLOW
    step = window.stride[1] * source.lanes if shallow and window.taps == 1 else 0
    return tuple(
        replace(tile, far=total > core(machine).second // 2, following=tile.pixels * step, touch=shallow)
        for _, tile in sorted(found.values(), key=lambda one: one[0])
    )


def _strip(source: Layout, target: Layout, window: Window, span: int, tiles: int, machine: Target) -> int:
    """Tiles in a strip, all strips being about equal: its input takes a part of the second cache."""
    lanes = 4 * -(-span // source.lanes) * source.lanes
    whole = lanes * source.height * source.width
    strips = min(-(-whole // (core(machine).second // 3)), max(1, tiles // 4))
    return -(-tiles // strips)


def direct_cycles(
    tile: Tile, tiles: int, target: Layout, window: Window, span: int, machine: Target
) -> float:
    groups = -(-target.blocks // tile.vectors)
    depth = window.taps * span
    row, of = 4 * tile.vectors * target.lanes, core(machine)
    total = row * depth * groups
    near = row * depth / of.rate(row * depth)  # a group's weights, for every tile
    far = total / of.rate(total) * -(-tiles // tile.strip)  # all weights, for every strip
    sums = max(depth * turn(tile.pixels, tile.vectors, machine), near)
    ends = of.tile + 2 * tile.pixels * tile.vectors + 6 * tile.runs
    return max(tiles * groups * (sums + ends), far)


# --- Winograd -------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def winograd_kinds(
    source: Layout, target: Layout, window: Window, machine: Target, pool: int = 1, threads: int = 1
) -> tuple[bool, tuple[Scheme, ...]]:
    """The cheapest scheme of each kind (m, by chunks or whole, weights fresh or stored) that is no folly.

    The best first, and before them whether it is estimated to beat the plain sum. They have no finish yet.
    ``threads``: share the work, which they cannot do evenly where there are few pieces of it.
    """
    stored, target = target, replace(target, height=pool * target.height, width=pool * target.width)
    plain = direct_tiles(source, target, window, source.channels, target.blocks, machine)[0]
    tiles = -(-target.height * -(-target.width // plain.columns) // plain.runs)
    found: dict[tuple[int, bool, bool], tuple[float, Scheme]] = {}
    for scheme in winograd_schemes(source, stored, window, machine, pool):
        pieces = scheme.rounds if scheme.chunks == 1 else scheme.chunks
        cycles = winograd_cycles(scheme, machine) * uneven(pieces, threads)
        kind = scheme.m, scheme.fresh > 0, scheme.chunks > 1
        if kind not in found or cycles < found[kind][0]:
            found[kind] = cycles, scheme
    least = min((cycles for cycles, _ in found.values()), default=float("inf"))
    anew = NEARLY * least
    kinds = sorted(
        (one for one in found.values() if one[0] < 2 * least),
        key=lambda one: (not (one[1].fresh and one[0] < anew), one[0]),
    )
    pays = least < direct_cycles(plain, tiles, target, window, source.channels, machine)
    return pays, tuple(scheme for _, scheme in kinds)


def uneven(pieces: int, threads: int) -> float:
    """How much longer work in so many pieces takes than if these could be cut."""
    return -(-pieces // threads) * threads / pieces


def sizes(window: Window) -> tuple[int, ...]:
    """Outputs of a tile along the axes of the window; none where Winograd has nothing to offer."""
    (high, wide), stride = window.kernel, window.stride
    if window != Window(window.kernel, stride, before=window.before):
        return ()
    if high == wide and stride[0] == stride[1]:
        return OUTPUTS.get((high, stride[0]), ())
    return IN_LINE.get(max(high, wide), ()) if min(high, wide) == 1 and stride == (1, 1) else ()


def winograd_schemes(
    source: Layout, target: Layout, window: Window, machine: Target, pool: int = 1
) -> Iterator[Scheme]:
    """All forms worth a thought, without a finish."""
    taps, stride, along = max(window.kernel), window.stride[0], (window.kernel[0] > 1, window.kernel[1] > 1)
    for m in sizes(window):
        too_deep = m > 4 and source.channels > CLOSE
        plain = Scheme(source, target, m, window.before, (1, 1), 1, 1, Finish(), stride=stride, taps=taps,
                       pool=pool, along=along)  # fmt: skip
        fits = target.height >= plain.kept[0] and target.width >= plain.kept[1]
        if too_deep or not fits or any(form.outputs % pool for form in plain.forms):
            continue
        far = 4 * plain.terms * source.channels * target.channels > core(machine).second // 2
        tiles = plain.tiles
        for p, q in tiles_in_registers(tiles, min(target.blocks, 6), machine.registers):
            if turn(p, q, machine) > p * q / 2 + 1.3 and p < tiles and q < target.blocks:
                continue
            groups, all_turns = -(-target.blocks // q), -(-tiles // p)
            cut = {-(-all_turns // chunks) for chunks in range(1, all_turns + 1)}
            for turns in sorted(n for n in cut if n <= MOST_TURNS or n == all_turns):
                for together in (1, 2, 4, 8):
                    whole = turns == all_turns
                    pieces = groups // together if whole else -(-all_turns // turns)
                    shared = pieces >= SHARES or (whole and together == 1)
                    if groups % together == 0 and shared:
                        scheme = replace(plain, tile=(p, q), turns=turns, round=together, far=far)
                        for one in (scheme, *_smaller_last(scheme, whole)):
                            yield one
                            if whole and together == 1 and stride == 1 and window.kernel == (3, 3):
                                yield from _anew(one, machine)


def _smaller_last(scheme: Scheme, whole: bool) -> Iterator[Scheme]:
    """Its last tiles smaller, where tiles of one size do not end with the map."""
    if whole and scheme.overlap and scheme.stride == 1:
        yield replace(scheme, mixed=True)


def _anew(scheme: Scheme, machine: Target) -> Iterator[Scheme]:
    """Its weights transformed in every call, some input channels at a time."""
    for fresh in (2, 4, 8):
        anew = replace(scheme, far=False, fresh=fresh)
        if scheme.source.blocks % fresh == 0 and 8 * anew.n * anew.held <= FRESH_ROOM * core(machine).first:
            yield anew


def winograd_cycles(scheme: Scheme, machine: Target) -> float:
    """Products or the arrival of their weights, and the transforms with what they read and write."""
    (p, q), source, target, terms = scheme.tile, scheme.source, scheme.target, scheme.terms
    positions = scheme.positions
    times, of = scheme.chunks * scheme.groups, core(machine)
    calls = times * sum(region.rows * region.columns * region.turns for region in scheme.regions)
    one = 4 * terms * source.blocks * source.lanes
    v, m = one * scheme.together, 4 * positions * scheme.m_step
    pieces = source.blocks // scheme.fresh if scheme.fresh else 1
    products = times * scheme.sums * source.channels * turn(p, q, machine)
    products += calls * pieces * (2 * p * q + of.tile)
    u = 4 * scheme.groups * scheme.weights * 9 if scheme.fresh else one * scheme.groups * q * target.lanes
    if scheme.fresh:
        products += source.channels * scheme.groups * q * positions * FRESH
        near = 8 * scheme.wide * scheme.held
        products += (pieces - 1) * scheme.chunks * scheme.groups * 2 * m / of.rate(m + near)  # sums that wait
    else:
        near = 4 * scheme.weights
    passes = 4 * scheme.sums * source.blocks * source.lanes * q * target.lanes * times
    # weights come from far for the next groups while those of this one pass by
    arrival = max(scheme.chunks * u / of.rate(u), passes / of.rate(near))
    whole = scheme.chunks == 1  # V is written far away, and nobody asks for it
    again = scheme.chunks * v * (scheme.rounds + whole) / of.rate((1 + whole) * (v + m))
    padded = scheme.chunks * scheme.values
    axes, by_lines = sum(scheme.along), of.lines if positions > AT_ONCE else 0.0
    forth = (
        padded
        * (terms / positions)
        * source.blocks
        * (1.25 * axes + by_lines + 4 * source.lanes / of.rate(v + m))
    )
    back = padded * target.blocks * (axes + by_lines + 8 * target.lanes / of.rate(v + m))
    return max(products, arrival) + 0.2 * min(products, arrival) + again + forth + back


def images_together(scheme: Scheme, machine: Target) -> int:
    """Images of a batch whose M stays in the cache while all of them use the same weights."""
    return max(1, min(8, core(machine).second // (8 * scheme.positions * scheme.m_step)))
