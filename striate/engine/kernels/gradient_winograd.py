"""The gradient of 3x3 weights, stride 1, with a quarter of the multiplications.

A tile of 4 x 4 of the output's gradient, slid over the 6 x 6 inputs around it, adds to 3 x 3 taps: that is
F(3x3, 4x4), minimal filtering with the gradient in the filter's place. The sum over tiles and images is
taken between the transforms: at each of 36 positions M = sum of (B^T x B) * (G dY G^T) is a sum of outer
products of channels, and A^T M A is computed once, at the end. 36 multiply-adds instead of 144, with a
relative error of 3.4e-6 at most where the definition's is 5.8e-7; see ``toom_cook`` and docs/log.md.

Where a tile hangs over the edge, what lies outside is zero and left out of the transform's code: there is one
piece of code for each way to hang over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import ClassVar

from striate.engine.emit import Emitter
from striate.engine.index import Memory, Number
from striate.engine.kernels.frame import clear
from striate.engine.kernels.gradient import (
    LANES,
    Ahead,
    Portion,
    Rows,
    Span,
    WeightGradient,
    apart,
    spans,
    transposed,
)
from striate.engine.kernels.kernel import Work
from striate.engine.kernels.multiply import LINE
from striate.engine.kernels.outer import Pixels, add_outer_products
from striate.engine.kernels.toom_cook import Matrix, columns_times, filtering, rows_times
from striate.engine.kernels.whole_map import whole_map

TAPS, TILE = 3, 4
Codes = dict[tuple[int, int, int, int], Emitter]  # one for each way to hang over the edges


@dataclass(frozen=True)
class Side:
    """One of the two maps, transformed: ``n * n`` positions of ``tiles`` rows of ``channels`` values."""

    operand: str
    matrix: Matrix
    size: tuple[int, int]
    total: int  # channels of a pixel
    channels: int  # of which these are in the block
    tiles: int
    rows: tuple[Span, ...]
    columns: tuple[Span, ...]
    padding: tuple[int, int]
    ahead: int  # pixels to the next tile

    @property
    def row(self) -> int:
        """From tile to tile."""
        return apart(self.channels)

    @property
    def step(self) -> int:
        """From position to position."""
        return apart(self.tiles * self.row)


@dataclass(frozen=True)
class WinogradGradient(WeightGradient):
    """``together``: tiles that are transformed, then multiplied: whole rows of an image, or whole images.

    ``whole``: a tile is a whole map, with the border of zeros that keeps its size (``whole_map``).
    """

    family: ClassVar[str] = "winograd gradient"
    together: int = field(kw_only=True)
    whole: bool = field(default=False, kw_only=True)

    @property
    def tile(self) -> int:
        return self.size[0] if self.whole else TILE

    @property
    def form(self) -> tuple[Matrix, Matrix, Matrix]:
        """What transforms the input, the output's gradient, and the sums of their products."""
        if self.whole:
            form = whole_map(self.tile)
            return form.bt, _turned(form.at), _turned(form.g)
        plain = filtering(TAPS, TILE)
        return plain.bt, plain.g, plain.at

    @property
    def n(self) -> int:
        """Positions along an axis."""
        return len(self.form[0])

    @property
    def tiles(self) -> tuple[int, int]:
        """Down and across."""
        high, wide = self.map
        return -(-high // self.tile), -(-wide // self.tile)

    @property
    def rows(self) -> Rows:
        return Rows(*self.tiles, self.together)

    @property
    def sides(self) -> tuple[Side, Side]:
        (down, across), tiles, none = self.tiles, self.rows.most, (0, 0)
        ahead = self.size[0] * self.size[1] if self.whole else TILE
        return tuple(  # type: ignore[return-value]
            Side(
                name,
                matrix,
                size,
                total,
                channels,
                tiles,
                tuple(spans(down, self.tile, len(matrix[0]), pad[0], size[0])),
                tuple(spans(across, self.tile, len(matrix[0]), pad[1], size[1])),
                pad,
                ahead,
            )
            for name, matrix, size, total, channels, pad in (
                (
                    *("input", self.form[0], self.size, self.channels, self.block[0]),
                    none if self.whole else self.padding,
                ),
                ("gradient", self.form[1], self.map, self.outputs, self.block[1], none),
            )
        )

    @property
    def sums(self) -> int:
        """From position to position in the sums."""
        return self.block[0] * self.block[1] + LINE

    @property
    def scratch(self) -> int:
        return self.n**2 * (sum(side.step for side in self.sides) + self.sums) + self.kept

    @property
    def multiply_adds(self) -> int:
        return self.n**2 * self.tiles[0] * self.tiles[1] * self.channels * self.outputs

    def describe(self) -> str:
        form = f"{self.n}x{self.n} products of a map" if self.whole else "F(3x3,4x4)"
        return f"{form}, blocks of {self.block[0]}x{self.block[1]}, {self.sides[0].tiles} tiles"

    def body(self, work: Work) -> None:
        to, sides, square = work.to, self.sides, self.n**2
        steps = (sides[0].step, sides[1].step, self.sums)
        starts = [square * sum(steps[:i]) for i in range(3)]
        v, u, sums = (
            to.part(work.scratch, at, square * step) for at, step in zip(starts, steps, strict=True)
        )
        clear(to, sums, 0, square * self.sums)
        firsts = self.first(work)
        codes = [self._codes(work, side) for side in sides]
        multiply = self._product(work)
        with self.rows.portions(work) as portion:
            for side, code, first, target in zip(sides, codes, firsts, (v, u), strict=True):
                self._transform(work, side, code, first, target, portion)
            with to.loop(square) as position:
                places = [
                    (one, to.times(position, step)) for one, step in zip((v, u, sums), steps, strict=True)
                ]
                if portion.first is not None:  # large maps lie far away
                    for side, first in zip(sides, firsts, strict=True):
                        self._ask(work, side, portion.first, first, position)
                to.run(multiply, *places, numbers=[portion.places])
        self._finish(work, sums, to.part(work.scratch, starts[2] + square * self.sums, self.kept), firsts)

    def _ask(self, work: Work, side: Side, row: Number, first: Number, position: Number) -> None:
        """For a part of what the next portion of the image reads; this one's begins at ``row`` of tiles."""
        to, pixels = work.to, self.rows.of_one * self.tile * side.size[1]
        begin = to.plus(to.times(row, self.tile * side.size[1] * side.total), first)
        Ahead(pixels, side.total, side.channels, self.n**2).ask(
            to, work.buffer(side.operand), begin, position
        )

    @property
    def kept(self) -> int:
        """Items of taps that wait to be written."""
        return TAPS**2 * LANES**2

    def _transform(
        self, work: Work, side: Side, codes: Codes, first: Number, target: Memory, portion: Portion
    ) -> None:
        """All tiles of the portion, of all channels of the block."""
        to, wide = work.to, side.size[1]
        with self.rows.each(work, portion) as (row, before):
            for down in side.rows:
                with to.where(row, down.first, down.count) as y:
                    for across in side.columns:
                        with to.loop(across.count) as i:
                            x = to.plus(across.first, i)
                            top = to.plus(to.times(y, self.tile), down.before - side.padding[0])
                            left = to.plus(to.times(x, self.tile), across.before - side.padding[1])
                            pixel = to.plus(to.times(top, wide), left)
                            at = to.plus(to.times(pixel, side.total), first)
                            tile = to.times(to.plus(before, x), side.row)
                            code = codes[down.before, down.after, across.before, across.after]
                            to.run(code, (work.buffer(side.operand), at), (target, tile))

    def _codes(self, work: Work, side: Side) -> Codes:
        edges = {(y.before, y.after, x.before, x.after) for y in side.rows for x in side.columns}
        return {one: self._code(work, side, one) for one in sorted(edges)}

    def _code(self, work: Work, side: Side, edges: tuple[int, int, int, int]) -> Emitter:
        """matrix * tile * matrix^T of one tile, of which the edges are missing; (map, transformed)."""
        name = f"{self.symbol}_{side.operand}{''.join(map(str, edges))}"
        to = Emitter(work.to.mod, name, work.to.target, 2, inner=True)
        size = len(side.matrix[0])
        rows, columns = range(edges[0], size - edges[1]), range(edges[2], size - edges[3])
        down, across = (tuple(row[one.start : one.stop] for row in side.matrix) for one in (rows, columns))
        new = range(len(columns) - self.tile, len(columns))
        for y, x in product(range(len(rows)), new):  # what the next tile will read
            for line in range(0, side.channels, LINE):
                ahead = y * side.size[1] + x + side.ahead
                to.prefetch(to.memories[0], ahead * side.total + line, near=3)
        with to.loop(side.channels // to.lanes) as i:
            source, target = (to.moved(memory, to.times(i, to.lanes)) for memory in to.memories)
            seen = [
                [to.get(source, (y * side.size[1] + x) * side.total) for y in range(len(rows))]
                for x in range(len(columns))
            ]
            half = [rows_times(to, down, column) for column in seen]
            for y in range(self.n):
                for x, value in enumerate(rows_times(to, across, [column[y] for column in half])):
                    to.put(value, target, (y * self.n + x) * side.step)
        to.ret_void()
        return to

    def _product(self, work: Work) -> Emitter:
        """The sums of one position; (input, gradient, sums), and how many tiles."""
        to = Emitter(work.to.mod, f"{self.symbol}_mul", work.to.target, 3, 1, inner=True)
        (one, other), (c, k) = self.sides, self.block
        loop = Pixels(to.parameter(0, 1, one.tiles), one.row, other.row)
        v, u, sums = to.memories
        add_outer_products(to, [loop], v, u, sums, c, k // to.lanes)
        to.ret_void()
        return to

    def _finish(self, work: Work, sums: Memory, kept: Memory, firsts: tuple[Number, Number]) -> None:
        """A^T M A, a square of channels at a time, turned so that input channels are last."""
        to, (c, k), at, n = work.to, self.block, self.form[2], self.n
        result, pixel = work.buffer("result"), self.taps * self.channels
        with to.loop(c // to.lanes) as i, to.loop(k // to.lanes) as j:
            channel, output = to.times(i, to.lanes), to.times(j, to.lanes)
            with to.loop(to.lanes) as one:
                place = to.plus(to.times(to.plus(channel, one), k), output)
                seen = to.moved(sums, place)
                columns = [
                    columns_times(to, at, [to.get(seen, (y * n + x) * self.sums) for y in range(n)])
                    for x in range(n)
                ]
                for y in range(TAPS):
                    for x, value in enumerate(columns_times(to, at, [column[y] for column in columns])):
                        put = to.plus(to.times(one, to.lanes), (y * TAPS + x) * to.lanes**2)
                        to.put(value, kept, put)
            with to.loop(self.taps) as tap:
                begin = to.moved(kept, to.times(tap, to.lanes**2))
                square = transposed(to, [to.get(begin, one * to.lanes) for one in range(to.lanes)])
                row = to.times(to.plus(firsts[1], output), pixel)
                target = to.moved(result, to.plus(row, to.times(tap, self.channels), firsts[0], channel))
                for one, value in enumerate(square):
                    to.put(value, target, one * pixel)


def _turned(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))
