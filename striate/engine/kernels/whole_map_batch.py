"""A 3x3 convolution of small maps as training has them, a map at a time: ``whole_map``'s form on a batch.

    source (N, m, m, C) -> target (N, m, m, K), both as torch's channels_last tensors lie in memory

Every position's product is one of matrices, images by channels. A unit is some turns of ``tile[0]`` images,
from input to output: as many as the scheme allows, so that weights are read seldom, but an even number of
nearly equal units. No output depends on which images are together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from llvmlite import ir

from striate.engine.emit import I64, Emitter
from striate.engine.index import Index, Number
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.multiply import Asking, Reduction, multiply
from striate.engine.kernels.toom_cook import columns_times, rows_times
from striate.engine.kernels.whole_map import PAIRS, Form, whole_map
from striate.engine.kernels.winograd_weights import position_step, round_of, tile_of, transformed
from striate.engine.layout import Layout
from striate.engine.target import Target

TURNS = {3: 7, 7: 4}  # by the map's side: measured
SHARES = 2  # of the work, of equal size: threads are often two, or a multiple
# of one tap, by the map's side: transforming more of them takes as long as is gained
MOST_WEIGHTS = {3: 2**24, 7: 2**11}


@dataclass(frozen=True)
class MapScheme:
    """``source`` and ``target`` are m x m. ``tile``: (P, Q), the sums in registers: P images by Q vectors of
    output channels, a group of them. ``turns``: times P images that are at hand together, at most. ``round``:
    groups whose sums are at hand together, a divisor of their number."""

    source: Layout
    target: Layout
    tile: tuple[int, int]
    turns: int
    round: int

    @property
    def minimal(self) -> Form:
        return whole_map(self.target.height)

    @property
    def n(self) -> int:
        return self.minimal.size

    @property
    def together(self) -> int:
        return self.turns * self.tile[0]

    @property
    def groups(self) -> int:
        return self.target.blocks // self.tile[1]

    @property
    def rounds(self) -> int:
        return self.groups // self.round

    @property
    def weights(self) -> int:
        """Transformed weights of one group and one position."""
        return self.source.channels * self.tile[1] * self.target.lanes

    @property
    def v_step(self) -> int:
        """From one position's V to the next; one more vector than needed spreads them over the cache."""
        return (self.together * self.source.blocks + 1) * self.source.lanes

    @property
    def m_step(self) -> int:
        return (self.together * self.round * self.tile[1] + 1) * self.target.lanes


@dataclass(frozen=True)
class MapBatch(Kernel):
    """Unit: some images of the whole batch; ``chunks`` says how many such there are."""

    family: ClassVar[str] = "whole map batch"
    scheme: MapScheme

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
        scheme = self.scheme
        products = f"{scheme.n}x{scheme.n} products, up to {scheme.together} images"
        return f"{scheme.target.height}x{scheme.target.width} maps, {products}"

    def chunks(self, images: int) -> int:
        """Units of work for so many images."""
        turns = -(-images // self.scheme.tile[0])
        even = SHARES * -(-turns // (SHARES * self.scheme.turns))
        return -(-turns // -(-turns // even))

    def body(self, work: Work) -> None:
        to, scheme = work.to, self.scheme

        def parts(number: Any, of: Any) -> Any:
            return to.udiv(to.sub(to.add(number, of), ir.Constant(I64, 1)), of)

        total = parts(work.images, ir.Constant(I64, scheme.tile[0]))
        even = to.mul(parts(total, ir.Constant(I64, SHARES * scheme.turns)), ir.Constant(I64, SHARES))
        each = parts(total, even)
        first = to.mul(work.image, each)
        left = to.sub(total, first)
        turns = to.select(to.icmp_signed("<", left, each), left, each)
        codes = self._forth(work), self._product(work), self._back(work)
        self._some(work, first, Index(turns, 1, scheme.turns) if scheme.turns > 1 else 1, codes)

    def _some(self, work: Work, begin: Any, turns: Number, codes: tuple[Emitter, Emitter, Emitter]) -> None:
        """From input to output, so many turns from ``begin`` on."""
        to, scheme, (p, q) = work.to, self.scheme, self.scheme.tile
        forth, product, back = codes
        size = scheme.n**2 * scheme.v_step
        v = to.part(work.scratch, 0, size)
        m = to.part(work.scratch, size, scheme.n**2 * scheme.m_step)
        with to.loop(turns) as turn, to.loop(p) as i:
            self._image(work, begin, turn, i)
            place = to.times(to.plus(to.times(turn, p * scheme.source.blocks), i), scheme.source.lanes)
            to.run(forth, (work.buffer("source"), 0), (v, place))
        lanes = scheme.target.lanes
        with to.loop(scheme.rounds) as number:
            with to.loop(scheme.n**2) as position, to.loop(scheme.round) as group:
                row = to.plus(to.times(number, scheme.n**2), position)
                u = to.plus(to.times(row, position_step(scheme)), to.times(group, scheme.weights))
                sums = to.plus(
                    to.times(position, scheme.m_step), to.times(group, q * scheme.together * lanes)
                )
                inputs = (v, to.times(position, scheme.v_step)), (work.buffer("weights"), u)
                to.run(product, *inputs, (m, sums), numbers=[turns])
            start = to.times(number, scheme.round * q * lanes)
            with to.loop(turns) as turn, to.loop(p) as i:
                self._image(work, begin, turn, i)
                place = to.times(to.plus(to.times(turn, p), i), lanes)
                results = (work.buffer("bias"), start), (work.buffer("target"), start)
                to.run(back, (m, place), *results)

    def _image(self, work: Work, begin: Any, turn: Number, i: Number) -> None:
        """The work's image becomes that; what is missing in the last turn repeats the last one."""
        to, p = work.to, self.scheme.tile[0]
        first = to.add(to.mul(begin, ir.Constant(I64, p)), to.raw(to.plus(to.times(turn, p), i)))
        last = to.sub(work.images, ir.Constant(I64, 1))
        work.image = to.select(to.icmp_signed("<", first, last), first, last)

    def _forth(self, work: Work) -> Emitter:
        """V = B d B^T of all channels of one image; (source, V)."""
        scheme, source = self.scheme, self.scheme.source
        to = Emitter(work.to.mod, f"{self.symbol}_in", work.to.target, 2, inner=True)
        given, v = to.memories
        n, bt, pixel, row = scheme.n, scheme.minimal.bt, source.channels, source.width * source.channels
        with to.loop(source.blocks) as block:
            at = to.times(block, source.lanes)
            for i in range(source.pixels):  # of the next image
                to.prefetch(given, to.plus(at, (source.pixels + i) * pixel), near=3)
            columns = [
                rows_times(
                    to,
                    bt,
                    [to.get(given, to.plus(at, y * row + x * pixel)) for y in range(source.height)],
                )
                for x in range(source.width)
            ]
            for y in range(n):
                for x, value in enumerate(rows_times(to, bt, [column[y] for column in columns])):
                    place = to.plus(to.times(at, scheme.tile[0]), (y * n + x) * scheme.v_step)
                    to.put(value, v, place)
        to.ret_void()
        return to

    def _product(self, work: Work) -> Emitter:
        """M of one group at one position, over all input channels; (V, weights, M), and how many turns."""
        scheme, (p, q), lanes = self.scheme, self.scheme.tile, self.scheme.source.lanes
        to = Emitter(work.to.mod, f"{self.symbol}_mul", work.to.target, 3, 1, inner=True)
        v, weights, m = to.memories
        with to.loop(to.parameter(0, 1, scheme.turns)) as turn:
            place = to.times(turn, p * lanes)
            places = [[to.plus(place, (j * scheme.together + i) * lanes) for j in range(q)] for i in range(p)]
            sums = [[to.variable(to.constant(0)) for _ in row] for row in places]
            deep = [Reduction([(scheme.source.blocks, p * lanes, lanes)], lanes)]
            first, steps = to.times(turn, p * scheme.source.blocks * lanes), [i * lanes for i in range(p)]
            asking = Asking(scheme.weights, scheme.turns, turn)
            multiply(to, deep, v, weights, [first], steps, sums, asking)
            for row, variables in zip(places, sums, strict=True):
                for at, variable in zip(row, variables, strict=True):
                    to.put(to.read(variable), m, at)
        to.ret_void()
        return to

    def _back(self, work: Work) -> Emitter:
        """A^T M A and bias of one image, for one round of output channels; (M, bias, target)."""
        scheme, target = self.scheme, self.scheme.target
        to = Emitter(work.to.mod, f"{self.symbol}_out", work.to.target, 3, inner=True)
        sums, bias, result = to.memories
        n, at, lanes, row = scheme.n, scheme.minimal.at, target.lanes, target.width * target.channels
        with to.loop(scheme.round * scheme.tile[1]) as vector:
            first, channel = to.times(vector, scheme.together * lanes), to.times(vector, lanes)
            columns = [
                columns_times(
                    to, at, [to.get(sums, to.plus(first, (i * n + j) * scheme.m_step)) for i in range(n)]
                )
                for j in range(n)
            ]
            shift = to.get(bias, channel)
            for i in range(target.height):
                for j, value in enumerate(columns_times(to, at, [column[i] for column in columns])):
                    place = to.plus(channel, i * row + j * target.channels)
                    to.put(to.fadd(value, shift), result, place)
        to.ret_void()
        return to


def map_scheme(
    channels: int, outputs: int, size: tuple[int, int], padding: tuple[int, int], machine: Target
) -> MapScheme | None:
    """For maps of that size (H, W), or None: there is no such form, or it does not pay."""
    side = size[0]
    if size != (side, side) or side not in PAIRS or padding != (1, 1):
        return None
    if channels * outputs > MOST_WEIGHTS[side]:
        return None
    lanes = machine.lanes
    source, target = (Layout(count, *size, lanes) for count in (channels, outputs))
    tile = tile_of(target.blocks, machine)
    return MapScheme(source, target, tile, TURNS[side], round_of(channels, target.blocks // tile[1]))
