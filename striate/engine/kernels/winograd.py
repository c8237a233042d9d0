"""3x3 convolution with a fifth (m = 6), a quarter (m = 4) or less than half (m = 2) of the multiplications.

The map is cut into tiles of m x m outputs. Each tile's (m+2) x (m+2) inputs are transformed (V = B^T d B),
the weights were transformed once (U = G g G^T); for each of the (m+2)^2 positions the sum over channels is
then a matrix product of its own, M = U V, and the outputs are A^T M A. Transforms work on vectors of channels
and have few multiplications; the matrix products are where the time goes, and there are 36 multiply-adds
instead of 144 (m = 4), 64 instead of 324 (m = 6). ``tiling`` says where everything lies, ``mosaic`` how last
tiles may be smaller, ``winograd_transforms`` and ``winograd_forms`` have the kernels.
5x5 convolutions have tiles of 2 x 2, transformed for the same points: 36 multiply-adds instead of 100.
Kernels of one row or column (and of sequences, maps of one row) have tiles in that line, transformed along it
alone: 8 multiply-adds instead of 18 (1x3, m = 6), 20 (1x5, m = 4) or 14 (1x7, m = 2).

With a stride of 2, even rows meet the first and the third tap, odd rows the second; columns likewise. So the
map falls into four phases, each a convolution of stride 1 with 2x2, 2x1, 1x2 or 1x1 taps, transformed for the
same points (who has a tap less has nothing at infinity) and added up position by position, as if they were
more channels: 81 multiply-adds instead of 144. 7x7 (phases of up to 4x4) with tiles of 3 x 3: 121 instead of
441. In the order of PHASES those of a position are neighbours. Of images that arrive as planes a vector has
the few channels of one pixel.

Transformed weights are seven times (m = 6), four times (m = 4) or nearly twice (m = 2) as large as the
weights. Where a map has few tiles they are read only a few times, and to wait for them takes longer than to
transform the weights anew for every call, some input channels at a time (``fresh``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from striate.engine.emit import Emitter
from striate.engine.index import Memory, Number
from striate.engine.kernels.kernel import Work
from striate.engine.kernels.mosaic import Kind
from striate.engine.kernels.multiply import Asking, Reduction, multiply
from striate.engine.kernels.tiling import Tiling
from striate.engine.kernels.toom_cook import rows_times
from striate.engine.kernels.winograd_transforms import Transforms


@dataclass(frozen=True)
class Scheme(Tiling):
    """The steps of a tiling, each a function of its own that the kernels call."""

    @property
    def overlap(self) -> bool:
        """Whether the last tiles lie on others."""
        return not self.mixed and bool(self.target.height % self.kept[0] or self.target.width % self.kept[1])

    def transforms(self, work: Work, name: str, *, near: bool = False) -> list[Emitter]:
        """V = B^T d B of one tile and one vector of channels; (source, V for each sort of position).

        One for each kind of tiles. ``near``: the map is in the cache, and need not be asked for.
        """
        found = []
        for number, kind in enumerate(self.kinds):
            target, sorts = replace(work.to.target, lanes=self.source.lanes), self.sorts(kind)
            to = Emitter(work.to.mod, f"{name}{number}", target, 1 + len(sorts), inner=True)
            source, *targets = to.memories
            Transforms(self, kind).forth(to, source, dict(zip(sorts, targets, strict=True)), near)
            to.ret_void()
            found.append(to)
        return found

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

    def product(self, work: Work, name: str, turns: int, phases: int = 1) -> Emitter:
        """P tiles x Q vectors of M at one position, in ``turns``, over all input channels; (V, weights, M).

        With fresh weights, the sum over those at hand is added to what M has.
        """
        to = Emitter(work.to.mod, name, work.to.target, 3, inner=True)
        v, weights, m = to.memories
        (p, q), lanes = self.tile, self.source.lanes
        with to.loop(turns) as turn:
            place = to.times(turn, p * to.lanes)
            places = [[to.plus(place, (j * self.slots + i) * to.lanes) for j in range(q)] for i in range(p)]
            sums = [
                [to.variable(to.get(m, at) if self.fresh else to.constant(0)) for at in row] for row in places
            ]
            asking = Asking(self.weights, turns, turn) if self.far else None
            first = to.times(turn, p * self.phases * self.source.blocks * lanes)
            parts = self._reductions(phases)
            steps = [i * lanes for i in range(p)]
            # of fresh weights few channels are at hand: what the next turn reads does not follow at once
            following = p * self.source.blocks * lanes if self.fresh else 0
            multiply(to, parts, v, weights, [first], steps, sums, asking, following)
            for row, variables in zip(places, sums, strict=True):
                for at, variable in zip(row, variables, strict=True):
                    to.put(to.read(variable), m, at)
        to.ret_void()
        return to

    def _reductions(self, phases: int) -> list[Reduction]:
        """All input channels (with fresh weights, those at hand) of some phases."""
        lanes, step = self.source.lanes, self.tile[0] * self.source.lanes
        full, rest = (self.fresh, 0) if self.fresh else divmod(self.source.channels, lanes)
        if full and phases > 1 and rest:  # what fills up the last block meets weights of 0
            full, rest = self.source.blocks, 0
        parts = [Reduction([(full * phases, step, lanes)], lanes)] if full else []
        if rest:
            loops = [(phases, step, lanes)] if not full else []
            parts.append(Reduction(loops, rest, full * step, full * lanes))
        return parts

    def backs(self, work: Work, name: str) -> list[Emitter]:
        """A^T M A, bias and finish, of one tile and one vector of channels; (M, bias, target[, added])."""
        found = []
        for number, kind in enumerate(self.kinds):
            to = Emitter(
                work.to.mod, f"{name}{number}", work.to.target, 4 if self.finish.added else 3, inner=True
            )
            m, bias, target, *more = to.memories
            Transforms(self, kind).back(to, m, bias, target, more)
            to.ret_void()
            found.append(to)
        return found

    def transform_tiles(
        self, work: Work, codes: list[Emitter], v: Memory, block: Number, first: Number
    ) -> None:
        """V of one vector of channels of all tiles at hand, of which ``first`` is the first."""
        to, p, lanes = work.to, self.tile[0], self.source.lanes
        each = p * self.phases * self.source.blocks
        for kind, code in zip(self.kinds, codes, strict=True):
            with to.loop(kind.count) as t:
                at = self.source_at(to, block, self.corner(to, to.plus(first, t), kind))
                places = []
                for sort in self.sorts(kind):
                    turn, i = to.divide(to.plus(t, kind.first - self.span(*sort)[0]), p)
                    rows = to.plus(to.times(turn, each), to.times(block, p), i)
                    places.append((v, to.times(rows, lanes)))
                to.run(code, (work.buffer("source"), at), *places)

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
        to, q, lanes = work.to, self.tile[1], work.to.lanes
        each = self.fresh * self.source.lanes * q * lanes if self.fresh else self.weights
        with to.loop(self.round) as group:
            to.run(
                inner,
                (v[0], to.plus(v[1], to.times(position, self.v_step))),
                (u[0], to.plus(u[1], to.times(group, each))),
                (
                    m[0],
                    to.plus(m[1], to.times(position, self.m_step), to.times(group, q * self.slots * lanes)),
                ),
            )

    def products(self, work: Work, name: str) -> dict[tuple[int, int], Emitter]:
        """The product's codes, by turns and phases."""
        wanted = dict.fromkeys((region.turns, region.phases) for region in self.regions)
        return {one: self.product(work, f"{name}{one[0]}_{one[1]}", *one) for one in wanted}

    def every_position(self, work: Work, name: str) -> Iterator[tuple[Emitter, Number, int, int, int]]:
        """Loops over all positions: the product's code, the position, where its V, weights and M begin."""
        to, codes = work.to, self.products(work, name)
        for region in self.regions:
            depth = region.phase * self.source.blocks * self.source.lanes
            with to.loop(region.rows) as y, to.loop(region.columns) as x:
                row = to.times(to.plus(y, region.first[0]), self.wide)
                position = to.plus(row, x, region.first[1])
                yield (
                    codes[region.turns, region.phases],
                    position,
                    depth * self.tile[0],
                    depth * self.tile[1] * to.lanes,
                    region.tile * to.lanes,
                )

    def finish_tiles(
        self,
        work: Work,
        codes: list[Emitter],
        m: tuple[Memory, Number],
        number: Number,
        corner: Callable[[Number, Kind], tuple[Number, Number]],
    ) -> None:
        """Outputs of all tiles at hand, for one round of output channels; ``corner``: of a tile at hand."""
        to, q, lanes = work.to, self.tile[1], work.to.lanes
        for kind, code in zip(self.kinds, codes, strict=True):
            with to.loop(self.round) as group, to.loop(q) as i, to.loop(kind.count) as t:
                start = to.times(to.plus(to.times(number, self.round), group), q)
                block, at = to.plus(to.least(start, self.target.blocks - q), i), corner(t, kind)
                vector = to.plus(to.times(group, q), i)
                place = to.times(to.plus(to.times(vector, self.slots), t, kind.first), lanes)
                arguments = [
                    (m[0], to.plus(m[1], place)),
                    (work.buffer("bias"), to.times(block, lanes)),
                    (work.buffer("target"), self.target_at(to, self.target, block, at)),
                ]
                if self.finish.added:
                    added = self.target_at(to, self.finish.added, block, at)
                    arguments.append((work.buffer("added"), added))
                to.run(code, *arguments)
