"""3x3 convolution with a quarter (m = 4) or less than half (m = 2) of the multiplications.

The map is cut into tiles of m x m outputs. Each tile's (m+2) x (m+2) inputs are transformed (V = B^T d B),
the weights were transformed once (U = G g G^T); for each of the (m+2)^2 positions the sum over channels is
then a matrix product of its own, M = U V, and the outputs are A^T M A. Transforms work on vectors of channels
and have few multiplications; the matrix products are where the time goes, and there are 36 multiply-adds
instead of 144 (m = 4). ``winograd_forms`` has the kernels.

In memory, so that every product reads straight on:
V [position][turn][block of input channels][tile of the turn][lane], U [round][position][group of the round]
[input channel][output of the group], M [position][vector of the round][tile][lane].

With a stride of 2, even rows meet the first and the third tap, odd rows the second; columns likewise. So the
map falls into four phases, each a convolution of stride 1 with 2x2, 2x1, 1x2 or 1x1 taps, transformed for the
same points (a single tap has nothing at infinity) and added up position by position, as if they were more
channels: 81 multiply-adds instead of 144. In the order of PHASES those of a position are neighbours.

Transformed weights are four times (m = 4) or nearly twice (m = 2) as large as the weights. Where a map has
few tiles they are read only a few times, and to wait for them takes longer than to transform the weights anew
for every call, some input channels at a time (``fresh``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.engine.emit import Emitter
from striate.engine.index import Memory, Number
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Operand, Work
from striate.engine.kernels.multiply import LINE, Reduction, multiply
from striate.engine.kernels.toom_cook import Filtering, as_array, columns_times, filtering, rows_times
from striate.engine.layout import Layout

Array = NDArray[np.float32]
PHASES = ((0, 1), (0, 0), (1, 0), (1, 1))  # of rows and columns; stride 1: only even and even


@dataclass(frozen=True)
class Region:
    """Positions (``rows`` x ``columns`` from ``first`` on) whose sums have the phases from ``phase`` on."""

    first: tuple[int, int]
    rows: int
    columns: int
    phase: int
    phases: int


@dataclass(frozen=True)
class Scheme:
    """``m``: outputs of a tile, each way. ``before``: padding above and left.

    ``tile``: (P, Q), the sums in registers: P tiles by Q vectors of output channels, a group of them.
    ``turns``: times P tiles that are at hand together. ``round``: groups whose M is at hand together, a
    divisor of their number. ``ahead``: see ``multiply``. ``fresh``: blocks of input channels, a divisor of
    their number, whose weights are transformed together in every call (then ``round`` is 1); 0: weights come
    transformed.
    """

    source: Layout
    target: Layout
    m: int
    before: tuple[int, int]
    tile: tuple[int, int]
    turns: int
    round: int
    finish: Finish
    ahead: int = 0
    fresh: int = 0
    stride: int = 1

    @property
    def n(self) -> int:
        return self.minimal.size

    @property
    def minimal(self) -> Filtering:
        return filtering(self.m, 4 - self.stride, whole=bool(self.fresh))

    @property
    def phases(self) -> int:
        return self.stride**2

    @property
    def regions(self) -> tuple[Region, ...]:
        n, m = self.n, self.m
        if self.stride == 1:
            return (Region((0, 0), n, n, 0, 1),)
        return (
            Region((0, 0), m, m, 0, 4),
            Region((m, 0), 1, m, 0, 2),
            Region((0, m), m, 1, 1, 2),
            Region((m, m), 1, 1, 1, 1),
        )

    @property
    def terms(self) -> int:
        """Products of one tile and one channel."""
        return sum(region.rows * region.columns * region.phases for region in self.regions)

    @property
    def rows(self) -> tuple[tuple[int, int], ...]:
        """Rows of U that are made together: those of points p and -p share sums; 0 and infinity have none."""
        return (0, self.n - 1), *((y, y + 1) for y in range(1, self.n - 1, 2))

    @property
    def across(self) -> int:
        return -(-self.target.width // self.m)

    @property
    def tiles(self) -> int:
        return -(-self.target.height // self.m) * self.across

    @property
    def together(self) -> int:
        return self.turns * self.tile[0]

    @property
    def chunks(self) -> int:
        return -(-self.tiles // self.together)

    @property
    def groups(self) -> int:
        return -(-self.target.blocks // self.tile[1])

    @property
    def rounds(self) -> int:
        return self.groups // self.round

    @property
    def v_step(self) -> int:
        """From one position's V to the next; one more vector than needed spreads them over the cache."""
        return (self.together * self.phases * self.source.blocks + 1) * self.source.lanes

    @property
    def m_step(self) -> int:
        return (self.together * self.round * self.tile[1] + 1) * self.target.lanes

    @property
    def weights(self) -> int:
        """Weights of one group and one position, or one tap."""
        return self.phases * self.source.blocks * self.source.lanes * self.tile[1] * self.target.lanes

    @property
    def held(self) -> int:
        """Fresh weights of one position; one cache line more spreads them."""
        return self.fresh * self.source.lanes * self.tile[1] * self.target.lanes + LINE

    @property
    def multiply_adds(self) -> int:
        outputs = self.chunks * self.together * self.groups * self.tile[1] * self.target.lanes
        return self.terms * outputs * self.source.channels

    def describe(self) -> str:
        p, q = self.tile
        window = "3x3" if self.stride == 1 else "3x3 in four phases"
        form = f"F({self.m}x{self.m}, {window}), {self.together} of {self.tiles} tiles, "
        return f"{form}{p} x {q * self.target.lanes} channels{self.finish.describe()}"

    def operands(self, *first: Operand) -> tuple[Operand, ...]:
        added = self.finish.added
        return (
            *first,
            Operand("weights", self.groups * (9 if self.fresh else self.n**2) * self.weights, shared=True),
            Operand("bias", self.target.blocks * self.target.lanes, shared=True),
            Operand("target", self.target.size),
            *((Operand("added", added.size),) if added else ()),
        )

    def pack(self, weight: Array, bias: Array | None) -> dict[str, Array]:
        """U = G g G^T, computed in float64; to be transformed later: [group][input channel][tap][output]."""
        lanes, q = self.target.lanes, self.tile[1]
        outputs, inputs = weight.shape[:2]
        parts = self._transformed(weight.astype(np.float64))
        deep, wide = self.source.blocks * lanes, self.target.blocks * lanes
        u = np.zeros((len(parts[0]), self.phases, deep, wide), np.float32)
        for phase, part in enumerate(parts):
            u[:, phase, :inputs, :outputs] = part.reshape(-1, outputs, inputs).transpose(0, 2, 1)
        each = u.reshape(len(u), -1, wide)
        firsts = [min(i * q, self.target.blocks - q) * lanes for i in range(self.groups)]
        packed = np.stack([each[:, :, first : first + q * lanes] for first in firsts])
        rounds = packed.reshape(self.rounds, self.round, *packed.shape[1:])  # then position, input, output
        rounds = rounds.transpose((0, 3, 1, 2, 4) if self.fresh else (0, 2, 1, 3, 4))
        padded = np.zeros(self.target.blocks * lanes, np.float32)
        if bias is not None:
            padded[:outputs] = bias
        return {"weights": np.ascontiguousarray(rounds).ravel(), "bias": padded}

    def _transformed(self, weight: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """For each phase [position][output and input]; to be transformed later: [tap][output and input]."""
        flat = weight.reshape(-1, 9).T
        if self.fresh:
            return [flat]
        g = as_array(self.minimal.g)
        if self.stride == 1:
            return [np.kron(g, g) @ flat]
        even, odd = np.zeros((self.n, 3)), np.zeros((self.n, 3))
        even[:, ::2], odd[: self.m, 1] = g, g[: self.m, 0]
        axes = even, odd
        return [np.kron(axes[y], axes[x]) @ flat for y, x in PHASES]

    # --- code -------------------------------------------------------------------------------------------

    def corner(self, to: Emitter, tile: Number) -> tuple[Number, Number]:
        """The first output row and column of a tile; the last tiles are moved back to end with the map.

        What is missing in the last turn repeats the last tile.
        """
        down, across = to.divide(to.least(tile, self.tiles - 1), self.across)
        y = to.least(to.times(down, self.m), self.target.height - self.m)
        return y, to.least(to.times(across, self.m), self.target.width - self.m)

    def source_at(self, to: Emitter, block: Number, tile: Number) -> Number:
        y, x = self.corner(to, tile)
        layout, (top, left) = self.source, self.before
        first = layout.start - top * layout.row - left * layout.lanes
        rows = to.plus(to.times(y, self.stride * layout.row), to.times(x, self.stride * layout.lanes))
        return to.plus(first, rows, to.times(block, layout.block))

    def target_at(self, to: Emitter, layout: Layout, block: Number, tile: Number) -> Number:
        y, x = self.corner(to, tile)
        rows = to.plus(to.times(y, layout.row), to.times(x, layout.lanes))
        return to.plus(layout.start, rows, to.times(block, layout.block))

    def transform(self, work: Work, name: str) -> Emitter:
        """V = B^T d B of one tile and one vector of channels, phase by phase; (source, V)."""
        to = Emitter(work.to.mod, name, work.to.target, 2, inner=True)
        source, v = to.memories
        bt, layout, step = self.minimal.bt, self.source, self.stride
        wide = step * self.m * layout.lanes
        for y in range(step * (self.m - 1) + 3):  # what the second tile from here will read anew
            for x in range(0, wide, LINE):
                to.prefetch(source, y * layout.row + 2 * wide + 2 * layout.lanes + x, near=3)
        for phase, odd in enumerate(PHASES if step > 1 else ((0, 0),)):
            high, wide = (self.n - one for one in odd)
            down, across = (tuple(row[:size] for row in bt[:size]) for size in (high, wide))
            seen = [
                [
                    to.get(source, (step * y + odd[0]) * layout.row + (step * x + odd[1]) * layout.lanes)
                    for y in range(high)
                ]
                for x in range(wide)
            ]
            columns = [rows_times(to, down, column) for column in seen]
            for y in range(high):
                for x, value in enumerate(rows_times(to, across, [column[y] for column in columns])):
                    place = phase * self.tile[0] * self.source.blocks * to.lanes
                    to.put(value, v, (y * self.n + x) * self.v_step + place)
        to.ret_void()
        return to

    def transform_weights(self, work: Work, name: str, rows: tuple[int, int]) -> Emitter:
        """Two rows of U = G g G^T, of the input channels at hand and a group of outputs; (weights, rows)."""
        to = Emitter(work.to.mod, name, work.to.target, 2, inner=True)
        g, wide = self.minimal.g, self.tile[1] * to.lanes
        with to.loop(self.fresh * self.source.lanes) as channel:
            weights = to.moved(to.memories[0], to.times(channel, 9 * wide))
            u = to.moved(to.memories[1], to.times(channel, wide))
            for q in range(0, wide, to.lanes):
                taps = [[to.get(weights, (3 * i + x) * wide + q) for i in range(3)] for x in range(3)]
                columns = [rows_times(to, (g[rows[0]], g[rows[1]]), column) for column in taps]
                for y, row in enumerate(zip(*columns, strict=True)):
                    for x, value in enumerate(rows_times(to, g, list(row))):
                        to.put(value, u, (y * self.n + x) * self.held + q)
        to.ret_void()
        return to

    def product(self, work: Work, name: str, phases: int = 1) -> Emitter:
        """P tiles x Q vectors of M at one position: a sum over all input channels; (V, weights, M).

        With fresh weights, the sum over those at hand is added to what M has.
        """
        to = Emitter(work.to.mod, name, work.to.target, 3, inner=True)
        v, weights, m = to.memories
        (p, q), lanes = self.tile, to.lanes
        places = [[(j * self.together + i) * lanes for j in range(q)] for i in range(p)]
        sums = [
            [to.variable(to.get(m, place) if self.fresh else to.constant(0)) for place in row]
            for row in places
        ]
        full, rest = (self.fresh, 0) if self.fresh else divmod(self.source.channels, lanes)
        if phases > 1 and rest:  # what fills up the last block meets weights of 0
            full, rest = self.source.blocks, 0
        full, step = full * phases, p * lanes
        parts = [Reduction([(full, step, lanes)], lanes)] if full else []
        if rest:
            parts.append(Reduction([], rest, full * step, full * lanes))
        multiply(to, parts, v, weights, [0], [i * lanes for i in range(p)], sums, self.ahead)
        for row, variables in zip(places, sums, strict=True):
            for place, variable in zip(row, variables, strict=True):
                to.put(to.read(variable), m, place)
        to.ret_void()
        return to

    def back(self, work: Work, name: str) -> Emitter:
        """A^T M A, bias and finish, of one tile and one vector of channels; (M, bias, target[, added])."""
        added, n, at = self.finish.added, self.n, self.minimal.at
        to = Emitter(work.to.mod, name, work.to.target, 4 if added else 3, inner=True)
        m, bias, target, *more = to.memories
        for memory, layout in zip((target, *more), (self.target, *((added,) if added else ())), strict=True):
            for y in range(self.m):  # where the next tile will be
                for x in range(0, self.m * to.lanes, LINE):
                    at_next = y * layout.row + self.m * to.lanes + x
                    to.prefetch(memory, at_next, near=3, write=memory is target)
        columns = [
            columns_times(to, at, [to.get(m, (y * n + x) * self.m_step) for y in range(n)]) for x in range(n)
        ]
        shift = to.get(bias, 0)
        for y in range(self.m):
            for x, value in enumerate(columns_times(to, at, [column[y] for column in columns])):
                other = to.get(more[0], y * added.row + x * added.lanes) if added else None
                result = self.finish.apply(to, to.fadd(value, shift), other)
                to.put(result, target, y * self.target.row + x * self.target.lanes)
        to.ret_void()
        return to

    def transform_tiles(self, work: Work, inner: Emitter, v: Memory, block: Number, first: Number) -> None:
        """V of one vector of channels of all tiles at hand, of which ``first`` is the first."""
        to, p, lanes = work.to, self.tile[0], work.to.lanes
        with to.loop(self.turns) as turn, to.loop(p) as i:
            at = self.source_at(to, block, to.plus(first, to.times(turn, p), i))
            rows = to.plus(to.times(turn, p * self.phases * self.source.blocks), to.times(block, p), i)
            to.run(inner, (work.buffer("source"), at), (v, to.times(rows, lanes)))

    def multiply(
        self,
        work: Work,
        inner: Emitter,
        position: Number,
        v: tuple[Memory, Number],
        u: tuple[Memory, Number],
        m: tuple[Memory, Number],
    ) -> None:
        """M of one round at one position, for all tiles at hand; v, u, m: where those of it begin."""
        to, (p, q), lanes = work.to, self.tile, work.to.lanes
        each = self.fresh * self.source.lanes * q * lanes if self.fresh else self.weights
        with to.loop(self.round) as group, to.loop(self.turns) as turn:
            rows = to.times(turn, p * self.phases * self.source.blocks)
            place = to.plus(to.times(group, q * self.together), to.times(turn, p))
            to.run(
                inner,
                (v[0], to.plus(v[1], to.times(position, self.v_step), to.times(rows, lanes))),
                (u[0], to.plus(u[1], to.times(group, each))),
                (m[0], to.plus(m[1], to.times(position, self.m_step), to.times(place, lanes))),
            )

    def every_position(self, work: Work, name: str) -> Iterator[tuple[Emitter, Number, int, int]]:
        """Loops over all positions: the product's code, the position, where its V and its weights begin."""
        to, lanes = work.to, work.to.lanes
        codes = {n: self.product(work, f"{name}{n}", n) for n in {r.phases for r in self.regions}}
        for region in self.regions:
            depth = region.phase * self.source.blocks * lanes
            with to.loop(region.rows) as y, to.loop(region.columns) as x:
                row = to.times(to.plus(y, region.first[0]), self.n)
                position = to.plus(row, x, region.first[1])
                yield (
                    codes[region.phases],
                    position,
                    depth * self.tile[0],
                    depth * self.tile[1] * lanes,
                )

    def finish_tiles(
        self, work: Work, inner: Emitter, m: Memory, m_at: Number, number: Number, first: Number
    ) -> None:
        """Outputs of all tiles at hand, for one round of output channels."""
        to, q, lanes = work.to, self.tile[1], work.to.lanes
        with to.loop(self.round) as group, to.loop(q) as i, to.loop(self.together) as t:
            start = to.times(to.plus(to.times(number, self.round), group), q)
            block, tile = to.plus(to.least(start, self.target.blocks - q), i), to.plus(first, t)
            vector = to.plus(to.times(group, q), i)
            arguments = [
                (m, to.plus(m_at, to.times(to.plus(to.times(vector, self.together), t), lanes))),
                (work.buffer("bias"), to.times(block, lanes)),
                (work.buffer("target"), self.target_at(to, self.target, block, tile)),
            ]
            if self.finish.added:
                added = self.target_at(to, self.finish.added, block, tile)
                arguments.append((work.buffer("added"), added))
            to.run(inner, *arguments)
