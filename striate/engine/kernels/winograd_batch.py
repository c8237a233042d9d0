"""3x3 convolution of maps as training has them: channels last, no frame, tiles counted through the batch.

    source (N, H, W, C) -> target (N, H', W', K), both as torch's channels_last tensors lie in memory

A unit is a chunk of tiles, from input to output; where chunks begin has nothing to do with images, so small
maps fill it as well as large ones. Tiles stand at multiples of m; what a tile sees outside its map is 0, what
it computes outside is dropped, so every output is written by one thread alone, and has the same bits with any
number of threads. The weights come as ``winograd_weights`` transforms them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

from llvmlite import ir

from striate.engine.emit import I32, I64, Emitter, Vector
from striate.engine.index import Index, Memory, Number, highest, lowest
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.toom_cook import columns_times, rows_times
from striate.engine.kernels.winograd import Scheme
from striate.engine.kernels.winograd_weights import position_step, transformed


@dataclass(frozen=True)
class Batch(Kernel):
    """Unit: ``scheme.together`` tiles of the whole batch; ``chunks`` says how many such there are."""

    family: ClassVar[str] = "winograd batch"
    scheme: Scheme

    @property
    def operands(self) -> tuple[Operand, ...]:
        scheme = self.scheme
        return (
            Operand("source", scheme.source.pixels * scheme.source.channels),
            Operand("weights", transformed(scheme), shared=True),
            Operand("bias", scheme.target.channels, shared=True),
            Operand("target", scheme.target.pixels * scheme.target.channels),
        )

    @property
    def units(self) -> int:
        return 1

    @property
    def scratch(self) -> int:
        return self.scheme.n**2 * (self.scheme.v_step + self.scheme.m_step)

    def describe(self) -> str:
        return self.scheme.describe()

    def chunks(self, images: int) -> int:
        """Units of work for so many images."""
        return -(-images * self.scheme.tiles // self.scheme.together)

    def body(self, work: Work) -> None:
        to, scheme = work.to, self.scheme
        size = scheme.n**2 * scheme.v_step
        v = to.part(work.scratch, 0, size)
        m = to.part(work.scratch, size, scheme.n**2 * scheme.m_step)
        first = to.mul(work.image, ir.Constant(I64, scheme.together))  # the unit's number
        last = to.sub(to.mul(work.images, ir.Constant(I64, scheme.tiles)), ir.Constant(I64, 1))
        self._forth(work, v, first, last)
        with to.loop(scheme.rounds) as number:
            for product, position, v_at, u_at, _ in scheme.every_position(work, f"{self.symbol}_mul"):
                place = to.plus(to.times(number, scheme.n**2), position)
                own = to.plus(to.times(place, position_step(scheme)), u_at)
                scheme.multiply(work, product, position, (v, v_at), (work.buffer("weights"), own), (m, 0))
            self._back(work, m, number, first, last)

    # --- tiles of the batch -------------------------------------------------------------------------------

    def _corner(self, work: Work, tile: Any) -> tuple[Number, Number]:
        """Row and column of a tile's first output; its image becomes the work's."""
        to, scheme = work.to, self.scheme
        each = ir.Constant(I64, scheme.tiles)
        work.image = to.udiv(tile, each)
        place = Index(to.urem(tile, each), 0, scheme.tiles - 1) if scheme.tiles > 1 else 0
        down, across = to.divide(place, scheme.across)
        return to.times(down, scheme.m), to.times(across, scheme.m)

    def _forth(self, work: Work, v: Memory, first: Any, last: Any) -> None:
        """V of all tiles; what is missing in the last turn repeats the last tile."""
        to, scheme, (p, _) = work.to, self.scheme, self.scheme.tile
        plain, edge = (self._transform(work, edge) for edge in (False, True))
        rows, columns = self._whole(0), self._whole(1)
        with to.loop(scheme.turns) as turn, to.loop(p) as i:
            number = to.add(first, to.raw(to.plus(to.times(turn, p), i)))
            y, x = self._corner(work, to.select(to.icmp_signed("<", number, last), number, last))
            lanes = scheme.source.lanes
            place = to.times(to.plus(to.times(turn, p * scheme.source.blocks), i), lanes)
            source = work.buffer("source")
            either(
                to,
                ((y, rows), (x, columns)),
                lambda down, across: to.run(plain, (source, self._source_at(to, down, across)), (v, place)),
                lambda: to.run(edge, (source, 0), (v, place), numbers=[y, x]),
            )

    def _whole(self, axis: int) -> range:
        """First outputs of the tiles that see nothing outside of their map, along an axis."""
        scheme = self.scheme
        before, size = scheme.before[axis], (scheme.source.height, scheme.source.width)[axis]
        count = (-(-scheme.target.height // scheme.m), scheme.across)[axis]
        starts = [
            i * scheme.m
            for i in range(count)
            if i * scheme.m >= before and i * scheme.m - before + scheme.n <= size
        ]
        return range(starts[0], starts[-1] + 1, scheme.m) if starts else range(0)

    def _source_at(self, to: Emitter, y: Number, x: Number) -> Number:
        source, (top, left) = self.scheme.source, self.scheme.before
        row = source.width * source.channels
        begin = -top * row - left * source.channels
        return to.plus(begin, to.times(y, row), to.times(x, source.channels))

    def _transform(self, work: Work, edge: bool) -> Emitter:
        """V = B^T d B of all channels of one tile; (source, V). ``edge``: the whole image's source, and the
        tile's first row and column."""
        scheme, source = self.scheme, self.scheme.source
        name = f"{self.symbol}_{'edge' if edge else 'in'}"
        to = Emitter(work.to.mod, name, work.to.target, 2, 2 if edge else 0, inner=True)
        given, v = to.memories
        n, bt, pixel, row = scheme.n, scheme.minimal.bt, source.channels, source.width * source.channels
        if edge:
            y, x = (to.parameter(i, 0, most) for i, most in enumerate(self._last))
            rows = [seen(to, to.plus(y, i - scheme.before[0]), source.height) for i in range(n)]
            columns = [seen(to, to.plus(x, i - scheme.before[1]), source.width) for i in range(n)]
        with to.loop(source.blocks) as block:
            at = to.times(block, source.lanes)

            def value(i: int, j: int) -> Vector:
                if not edge:
                    return to.get(given, to.plus(at, i * row + j * pixel))
                (down, held), (across, kept) = rows[i], columns[j]
                one = to.get(given, to.plus(at, to.times(down, row), to.times(across, pixel)))
                masked = to.and_(to.bitcast(one, held.type), to.and_(held, kept))
                return to.bitcast(masked, one.type)

            for i in range(0 if edge else n):  # what the second tile from here will read anew
                for j in range(2 * scheme.m, 3 * scheme.m):
                    to.prefetch(given, to.plus(at, i * row + j * pixel), near=3)
            made = [rows_times(to, bt, [value(i, j) for i in range(n)]) for j in range(n)]
            for i in range(n):
                for j, result in enumerate(rows_times(to, bt, [column[i] for column in made])):
                    to.put(result, v, to.plus(to.times(at, scheme.tile[0]), (i * n + j) * scheme.v_step))
        to.ret_void()
        return to

    @property
    def _last(self) -> tuple[int, int]:
        scheme = self.scheme
        return (-(-scheme.target.height // scheme.m) - 1) * scheme.m, (scheme.across - 1) * scheme.m

    def _back(self, work: Work, m: Memory, number: Number, first: Any, last: Any) -> None:
        """Outputs of all tiles, for one round of output channels; repeated tiles write the same again."""
        to, scheme = work.to, self.scheme
        target, wide = scheme.target, scheme.round * scheme.tile[1] * scheme.target.lanes
        plain, edge = (self._outputs(work, edge) for edge in (False, True))
        rows, columns = (range(0, size - scheme.m + 1, scheme.m) for size in (target.height, target.width))
        start = to.times(number, wide)
        with to.loop(scheme.together) as t:
            tile = to.add(first, to.raw(t))
            y, x = self._corner(work, to.select(to.icmp_signed("<", tile, last), tile, last))
            sums, bias = (m, to.times(t, target.lanes)), (work.buffer("bias"), start)
            result = work.buffer("target")

            def whole(down: Number, across: Number) -> None:
                at = to.times(to.plus(to.times(down, target.width), across), target.channels)
                to.run(plain, sums, bias, (result, to.plus(at, start)))

            either(
                to,
                ((y, rows), (x, columns)),
                whole,
                lambda: to.run(edge, sums, bias, (result, start), numbers=[y, x]),
            )

    def _outputs(self, work: Work, edge: bool) -> Emitter:
        """A^T M A and bias of one tile, for one round of output channels; (M, bias, target)."""
        scheme, target = self.scheme, self.scheme.target
        name = f"{self.symbol}_{'cut' if edge else 'out'}"
        to = Emitter(work.to.mod, name, work.to.target, 3, 2 if edge else 0, inner=True)
        sums, bias, result = to.memories
        n, at, lanes, row = scheme.n, scheme.minimal.at, target.lanes, target.width * target.channels
        if edge:
            y, x = (to.parameter(i, 0, most) for i, most in enumerate(self._last))
        with to.loop(scheme.round * scheme.tile[1]) as vector:
            first, channel = to.times(vector, scheme.together * lanes), to.times(vector, lanes)
            columns = [
                columns_times(
                    to, at, [to.get(sums, to.plus(first, (i * n + j) * scheme.m_step)) for i in range(n)]
                )
                for j in range(n)
            ]
            for i in range(0 if edge else scheme.m):  # where the next tile will be
                for j in range(scheme.m, 2 * scheme.m):
                    to.prefetch(result, to.plus(channel, i * row + j * target.channels), near=3, write=True)
            shift = to.get(bias, channel)
            made = [columns_times(to, at, [column[i] for column in columns]) for i in range(scheme.m)]
            for i, values in enumerate(made):
                for j, value in enumerate(values):
                    value = to.fadd(value, shift)
                    if not edge:
                        to.put(value, result, to.plus(channel, i * row + j * target.channels))
                        continue
                    down, across = to.plus(y, i), to.plus(x, j)
                    with to.if_then(
                        to.and_(
                            *(
                                to.icmp_signed("<", to.raw(one), ir.Constant(I64, size))
                                for one, size in ((down, target.height), (across, target.width))
                            )
                        )
                    ):
                        down, across = to.least(down, target.height - 1), to.least(across, target.width - 1)
                        place = to.plus(channel, to.times(down, row), to.times(across, target.channels))
                        to.put(value, result, place)
        to.ret_void()
        return to


def seen(to: Emitter, number: Number, size: int) -> tuple[Number, Any]:
    """A row or column inside of a map of that size, and in every lane whether ``number`` is that."""
    raw, kind = to.raw(number), ir.VectorType(I32, to.lanes)
    within = to.icmp_unsigned("<", raw, ir.Constant(I64, size))
    mask = to.insert_element(ir.Constant(kind, ir.Undefined), to.sext(within, I32), ir.Constant(I32, 0))
    mask = to.shuffle_vector(mask, mask, ir.Constant(kind, None))
    zero, last = ir.Constant(I64, 0), ir.Constant(I64, size - 1)
    raw = to.select(to.icmp_signed("<", raw, zero), zero, raw)
    raw = to.select(to.icmp_signed("<", raw, last), raw, last)
    return Index(raw, 0, size - 1), mask


def either(
    to: Emitter,
    axes: Sequence[tuple[Number, range]],
    within: Callable[[Number, Number], None],
    otherwise: Callable[[], None],
) -> None:
    """Write ``within`` for numbers that all are in their ranges, and ``otherwise`` for others."""
    if not all(span for _, span in axes):
        return otherwise()
    known, asked = list[Number](), []
    for number, span in axes:
        low, high = span[0], span[-1]
        if lowest(number) >= low and highest(number) <= high:
            known.append(number)
        else:
            above = to.sub(to.raw(number), ir.Constant(I64, low))
            asked.append(to.icmp_unsigned("<=", above, ir.Constant(I64, high - low)))
            known.append(Index(to.raw(number), low, high))
    if not asked:
        return within(*known)
    with to.if_else(reduce(to.and_, asked)) as (then, other):
        with then:
            within(*known)
        with other:
            otherwise()
