"""A network's first convolution and Winograd's form of the one that alone reads it, in one pass.

An image has few channels, so that its first convolution is little arithmetic, and its map is the largest of
all: to store it and to read it again takes longer than to compute it. So a unit computes the rows that some
tiles side by side see, a few vectors of channels at a time, in memory of its thread, and transforms them from
there. Rows that two rows of tiles see are computed for each: 8 for every 6 (m = 6).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from striate.engine.emit import Emitter
from striate.engine.index import Memory, Number, highest, lowest
from striate.engine.kernels.core import core
from striate.engine.kernels.direct import Window
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.packing import filled_up, in_groups
from striate.engine.kernels.panels import one_row
from striate.engine.kernels.tile import (
    SHARES,
    tiles_in_registers,
    turn,
    winograd_cycles,
    winograd_schemes,
)
from striate.engine.kernels.winograd import Scheme
from striate.engine.kernels.winograd_forms import make_outputs
from striate.engine.layout import Layout
from striate.engine.target import Target

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Opening(Kernel):
    """``image``: its channels in planes or in one vector. ``whole``: the map that would be stored.

    ``window``, ``between``, ``tile``: of the first convolution, what is done to its results, and (P, Q), P
    pixels of a row by Q vectors of its channels.
    ``scheme``: of the second; its source is what a unit has at hand, all its channels.
    """

    family: ClassVar[str] = "opening"
    image: Layout
    whole: Layout
    window: Window
    between: Finish
    tile: tuple[int, int]
    scheme: Scheme

    @property
    def operands(self) -> tuple[Operand, ...]:
        _, weights, *rest = self.scheme.operands(Operand("source", self.image.size))
        lanes, groups = self.whole.lanes, -(-self.whole.blocks // self.tile[1])
        return (
            Operand("source", self.image.size),
            Operand("first weights", groups * self._panel, shared=True),
            Operand("first bias", self.whole.blocks * lanes, shared=True),
            weights,
            *rest,
        )

    @property
    def _panel(self) -> int:
        """Weights of one group of the first convolution."""
        return self.image.channels * self.window.taps * self.tile[1] * self.whole.lanes

    @property
    def parts(self) -> int:
        """Pieces of a row of tiles, the last moved back to end with it."""
        return -(-self.scheme.across // self.scheme.together)

    @property
    def units(self) -> int:
        return self.scheme.tiles // self.scheme.across * self.parts

    @property
    def overlaps(self) -> bool:
        return self.units > 1 and self.scheme.overlap

    @property
    def scratch(self) -> int:
        scheme = self.scheme
        return scheme.positions * (scheme.v_step + scheme.m_step) + self.tile[1] * scheme.source.block

    @property
    def multiply_adds(self) -> int:
        (p, q), strip = self.tile, self.scheme.source
        first = strip.rows * -(-strip.row // strip.lanes // p) * p * -(-self.whole.blocks // q) * self._panel
        again = self.scheme.multiply_adds // self.scheme.chunks
        return self.units * (first + again)

    def describe(self) -> str:
        high, wide = self.window.kernel
        p, q = self.tile
        first = f"{high}x{wide} of {self.image.channels} channels, {p} x {q * self.whole.lanes}"
        return f"{first}{self.between.describe()}, {self.scheme.describe()}"

    def pack_first(self, weight: Array, bias: Array | None) -> dict[str, Array]:
        """Weights (outputs, channels, kh, kw) as [group][channel][tap][output]."""
        lanes, blocks = self.whole.lanes, self.whole.blocks
        full = np.zeros((weight[0].size, blocks * lanes), np.float32)
        full[:, : len(weight)] = weight.reshape(len(weight), -1).T
        grouped = in_groups(full, self.tile[1] * lanes)
        return {"first weights": grouped.ravel(), "first bias": filled_up(bias, blocks * lanes)}

    # --- code -------------------------------------------------------------------------------------------

    def body(self, work: Work) -> None:
        to, scheme = work.to, self.scheme
        size, held = scheme.positions * scheme.v_step, scheme.positions * scheme.m_step
        v, m = to.part(work.scratch, 0, size), to.part(work.scratch, size, held)
        strip = to.part(work.scratch, size + held, self.tile[1] * scheme.source.block)
        line, part = to.divide(work.unit, self.parts)
        wide = scheme.together * scheme.kept[1]
        left = to.least(to.times(part, wide), scheme.target.width - wide)
        top = to.least(to.times(line, scheme.kept[0]), scheme.target.height - scheme.kept[0])
        y, x = to.times(top, scheme.pool), to.times(left, scheme.pool)
        run, (forth,) = self._run(work), scheme.transforms(work, f"{self.symbol}_in", near=True)
        groups, q = -(-self.whole.blocks // self.tile[1]), self.tile[1]
        with to.loop(groups) as group:
            self._rows(work, run, strip, group, y, x)
            self._clear(to, strip, y, x)
            first = to.least(to.times(group, q), self.whole.blocks - q)
            with to.loop(q) as i:
                self._transform(to, forth, (strip, to.times(i, scheme.source.block)), v, to.plus(first, i))
        make_outputs(work, scheme, v, m, lambda t, _: (top, to.plus(left, to.times(t, scheme.kept[1]))))

    def _run(self, work: Work) -> Emitter:
        """P pixels of a row and Q vectors: a function (image, weights, bias, strip)."""
        (p, q), image = self.tile, self.image
        to = Emitter(work.to.mod, f"{self.symbol}_run", work.to.target, 4, inner=True)
        source, weights, bias, strip = to.memories
        sums = [[to.variable(to.get(bias, j * to.lanes)) for j in range(q)] for _ in range(p)]
        (kh, kw), (dy, dx), step = self.window.kernel, self.window.dilation, self.window.stride[1]
        plane = image.block if image.lanes == 1 else 1
        # one tap a turn: of several, LLVM keeps the pixels that they share in registers, and spills for it
        with to.loop(image.channels) as channel, to.loop(kh) as down, to.loop(kw) as across:
            start = to.plus(
                to.times(channel, plane),
                to.times(down, dy * image.row),
                to.times(across, dx * image.lanes),
            )
            row = to.plus(to.times(channel, kh * kw), to.times(down, kw), across)
            seen = [(source, to.plus(start, i * step * image.lanes)) for i in range(p)]
            one_row(to, seen, weights, row, sums)
        for i, variables in enumerate(sums):
            for j, variable in enumerate(variables):
                value = self.between.apply(to, to.read(variable))
                to.put(value, strip, j * self.scheme.source.block + i * to.lanes)
        to.ret_void()
        return to

    def _rows(self, work: Work, run: Emitter, strip: Memory, group: Number, y: Number, x: Number) -> None:
        """All that the unit's tiles see of a group of channels; (y, x): where the first of them is."""
        to, (p, q), image, lanes = work.to, self.tile, self.image, work.to.lanes
        (sy, sx), (top, left), (above, before) = self.window.stride, self.window.before, self.scheme.before
        first = image.start - (top + above * sy) * image.row - (left + before * sx) * image.lanes
        corner = to.plus(first, to.times(y, sy * image.row), to.times(x, sx * image.lanes))
        held = self.scheme.source
        wide = held.row // lanes
        block = to.least(to.times(group, q), self.whole.blocks - q)
        with to.loop(held.rows) as row, to.loop(-(-wide // p)) as turn:
            column = to.least(to.times(turn, p), wide - p)
            at = to.plus(corner, to.times(row, sy * image.row), to.times(column, sx * image.lanes))
            to.run(
                run,
                (work.buffer("source"), at),
                (work.buffer("first weights"), to.times(group, self._panel)),
                (work.buffer("first bias"), to.times(block, lanes)),
                (strip, to.plus(to.times(row, held.row), to.times(column, lanes))),
            )

    def _clear(self, to: Emitter, strip: Memory, y: Number, x: Number) -> None:
        """The second convolution's padding is zeros, not what the first would give beyond its map."""
        held, lanes, wide = self.scheme.source, to.lanes, self.scheme.source.row // to.lanes
        above, before = self.scheme.before
        row, column = (1, wide), (held.rows, 1)
        edges = [(y, 0, 0, row), (y, self.whole.height - held.height, held.rows - 1, row)] if above else []
        if before:
            edges += [(x, 0, 0, column), (x, self.whole.width - held.width, wide - 1, column)]
        for number, at_edge, place, (rows, columns) in edges:
            if not lowest(number) <= at_edge <= highest(number):
                continue
            start = place * (held.row if rows == 1 else lanes)
            here = to.icmp_signed("==", to.raw(number), to.raw(at_edge))
            loops = to.loop(self.tile[1]), to.loop(rows), to.loop(columns)
            with to.if_then(here), loops[0] as q, loops[1] as down, loops[2] as across:
                there = to.plus(to.times(q, held.block), to.times(down, held.row), to.times(across, lanes))
                to.put(to.constant(0), strip, to.plus(there, start))

    def _transform(
        self, to: Emitter, forth: Emitter, strip: tuple[Memory, Number], v: Memory, block: Number
    ) -> None:
        scheme, p, lanes = self.scheme, self.scheme.tile[0], to.lanes
        memory, start = strip
        with to.loop(scheme.turns) as turn, to.loop(p) as i:
            tile = to.plus(to.times(turn, p), i)
            rows = to.plus(to.times(turn, p * scheme.source.blocks), to.times(block, p), i)
            place = to.plus(start, to.times(tile, scheme.m * lanes))
            to.run(forth, (memory, place), (v, to.times(rows, lanes)))


@lru_cache(maxsize=256)
def opening(
    image: Layout,
    whole: Layout,
    target: Layout,
    windows: tuple[Window, Window],
    between: Finish,
    finishes: tuple[Finish, Finish],
    pool: int,
    machine: Target,
) -> Opening | None:
    """The kernel that is estimated to be fastest; None where a row has too few tiles.

    ``windows``: of both convolutions. ``finishes``: of the second, and of the pooling by ``pool`` behind it.
    """
    found: list[tuple[float, Opening]] = []
    for plain in winograd_schemes(whole, target, windows[1], machine, pool):
        if plain.fresh or plain.chunks == 1 or plain.together * plain.kept[1] > target.width:
            continue
        strip = Layout(whole.channels, plain.m, plain.m * plain.together, whole.lanes, (1, 1, 1, 1))
        scheme = replace(plain, source=strip, finish=finishes[0], after=finishes[1])
        tiles = tiles_in_registers(
            min(strip.row // strip.lanes, 2 * machine.registers), min(whole.blocks, 6), machine.registers
        )
        each = [Opening(image, whole, windows[0], between, tile, scheme) for tile in tiles]
        best = min(each, key=lambda one: opening_cycles(one, machine))
        if best.units >= SHARES:
            found.append((opening_cycles(best, machine), best))
    return min(found, key=lambda one: one[0])[1] if found else None


def opening_cycles(kernel: Opening, machine: Target) -> float:
    """Estimated, of all units on one thread."""
    (p, q), scheme, strip = kernel.tile, kernel.scheme, kernel.scheme.source
    runs = strip.rows * -(-strip.row // strip.lanes // p) * -(-kernel.whole.blocks // q)
    taps = kernel.image.channels * kernel.window.taps
    near = (
        1.0 if 4 * q * strip.block <= core(machine).first else 1.1
    )  # what is transformed comes from the second cache
    first = runs * (taps * turn(p, q, machine) + 2 * p * q + core(machine).tile) * near
    return kernel.units * (first + winograd_cycles(scheme, machine) / scheme.chunks)
