"""1x1 convolution over packed pixels: for stride, and for weights too large to wait in a cache.

The pixels that are read lie apart: each block of channels is a plane of its own, and a stride leaves gaps.
So a unit first copies the values of some tiles of pixels, in the order in which they will be read, and then
takes them through its groups of output channels. Of many input channels only some are at hand at a time:
their weights stay near from tile to tile, and sums wait in memory of the thread until the last channels came.
The copy is also where values are rounded to bf16, two in a word, if products of bf16 are wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from striate.engine.emit import Emitter
from striate.engine.index import Number
from striate.engine.kernels.core import core
from striate.engine.kernels.dots import halved
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.gate import gate_of, gate_operands, gated
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.multiply import LINE, Asking, Reduction, multiply
from striate.engine.kernels.packing import filled_up, in_groups
from striate.engine.kernels.panels import offsets, product_cycles, product_tile
from striate.engine.kernels.storage import FP32, Storage
from striate.engine.kernels.tile import SHARES, uneven
from striate.engine.layout import Layout
from striate.engine.target import Target

Array = NDArray[np.float32]
AT_HAND = (24, 64)  # blocks of input channels: fewest and most that are worth a turn; twice as many of bf16
COPY = 2.0  # cycles to copy a vector, or to round it
WAIT = 0.1  # of a unit, for the thread that is done last


@dataclass(frozen=True)
class Packed(Kernel):
    """``tile``: (P, Q), P pixels by Q vectors of output channels, a group of them.

    ``strip``: tiles of a unit. ``cut``: its groups. ``chunk``: blocks of input channels at hand, a divisor of
    their number. ``far``: weights come from the third cache or memory. ``gate``: a value for each channel, by
    which pixels are multiplied as they are copied. ``stored``: how weights are; so are copies, of dots.
    """

    family: ClassVar[str] = "packed"
    source: Layout
    target: Layout
    stride: tuple[int, int]
    tile: tuple[int, int]
    strip: int
    cut: int
    chunk: int
    far: bool
    finish: Finish
    gate: Layout | None = None
    stored: Storage = FP32

    @property
    def groups(self) -> int:
        return -(-self.target.blocks // self.tile[1])

    @property
    def tiles(self) -> int:
        return -(-self.target.pixels // self.tile[0])

    @property
    def chunks(self) -> int:
        return self.source.blocks // self.chunk

    @property
    def panel(self) -> int:
        """Weights of one group and one chunk, or words of them."""
        return self.chunk * self.deep * self.tile[1] * self.target.lanes

    @property
    def deep(self) -> int:
        """Values of a pixel's block, or words of them."""
        return self.source.lanes // self.stored.inputs

    @property
    def operands(self) -> tuple[Operand, ...]:
        return (
            Operand("source", self.source.size),
            Operand("weights", self.chunks * self.groups * self.panel, shared=True),
            Operand("bias", self.target.blocks * self.target.lanes, shared=True),
            Operand("target", self.target.size),
            *self.finish.operands,
            *gate_operands(self.gate),
        )

    @property
    def parts(self) -> int:
        return -(-self.groups // self.cut)

    @property
    def units(self) -> int:
        return -(-self.tiles // self.strip) * self.parts

    @property
    def _packed(self) -> int:
        return self.strip * self.chunk * self.tile[0] * self.deep

    @property
    def scratch(self) -> int:
        p, q = self.tile
        sums = self.cut * self.strip * p * q * self.target.lanes if self.chunks > 1 else 0
        return self._packed + sums

    @property
    def multiply_adds(self) -> int:
        p, q = self.tile
        strips = self.units // self.parts
        return strips * self.strip * p * self.groups * q * self.target.lanes * self.source.channels

    @property
    def storage(self) -> str:
        return self.stored.name

    def describe(self) -> str:
        p, q = self.tile
        pixels = f"{p} pixels, {self.strip} of {self.tiles} tiles, {q * self.target.lanes} channels"
        words = gated(self.gate) + self.finish.describe()
        return f"{pixels}, {self.chunk * self.source.lanes} inputs{words}"

    def pack(self, weight: Array, bias: Array | None) -> dict[str, Array]:
        """Weights (outputs, inputs) as [chunk][group][input][output]; the last group ends with the last."""
        lanes, q = self.target.lanes, self.tile[1]
        outputs, inputs = weight.shape
        full = np.zeros((self.source.blocks * self.source.lanes, self.target.blocks * lanes), np.float32)
        full[:inputs, :outputs] = weight.T
        full = self.stored.words(full)
        chunks = in_groups(full, q * lanes).reshape(self.groups, self.chunks, -1).transpose(1, 0, 2)
        shift = filled_up(bias, self.target.blocks * lanes)
        return {"weights": np.ascontiguousarray(chunks).ravel(), "bias": shift}

    # --- code -------------------------------------------------------------------------------------------

    def body(self, work: Work) -> None:
        """All chunks of a strip; the first begins with the bias, the last finishes the sums."""
        to = work.to
        strip, part = to.divide(work.unit, self.parts)
        first, last = to.times(strip, self.strip), self.chunks - 1
        middle = max(0, last - 1)
        for begin, count in ((0, 1), (1, middle), (last, 1 if last else 0)):
            if count:
                code = self._one_tile(work, begin == 0, begin + count > last)
                with to.loop(count) as i:
                    chunk = to.plus(begin, i)
                    self._copy(work, first, chunk)
                    self._groups(work, code, first, part, chunk)

    def _pixel(self, to: Emitter, tile: Number) -> Number:
        """The first pixel of a tile; the map's last is moved back to end with it, and to fill its strip."""
        p, _ = self.tile
        return to.least(to.times(tile, p), self.target.pixels - p)

    def _copy(self, work: Work, first: Number, chunk: Number) -> None:
        """[tile of the strip][block][pixel][lane, or word] of one chunk."""
        to, source = work.to, self.source
        image, width = work.buffer("source"), self.tile[0] * source.lanes
        with to.loop(self.strip) as place:
            pixel = self._pixel(to, to.plus(first, place))
            seen = offsets(to, source, pixel, self.tile[0], self.target.width, self.stride)
            with to.loop(self.chunk) as b:
                block = to.plus(to.times(chunk, self.chunk), b)
                start = to.plus(source.start, to.times(block, source.block))
                row = to.times(to.plus(to.times(place, self.chunk), b), self.tile[0] * self.deep)
                factor = gate_of(work, self.gate, block)
                for ahead in range(0, width, LINE) if self.gate else ():  # blocks of the next tile lie apart
                    to.prefetch(image, to.plus(start, seen[0], width + ahead), near=3)
                for i, offset in enumerate(seen):
                    value = to.get(image, to.plus(start, offset))
                    value = value if factor is None else to.fmul(value, factor)
                    value = halved(to, value) if self.stored.dots else value
                    to.put(value, work.scratch, to.plus(row, i * self.deep))

    def _groups(self, work: Work, code: Emitter, first: Number, part: Number, chunk: Number) -> None:
        """All tiles of the strip through the unit's groups."""
        to, (p, q), lanes, target, added = work.to, self.tile, work.to.lanes, self.target, self.finish.added
        with to.loop(self.cut) as own, to.loop(self.strip) as place:
            group = to.plus(to.times(part, self.cut), own)
            block = to.least(to.times(group, q), target.blocks - q)
            weights = to.times(to.plus(to.times(chunk, self.groups), group), self.panel)
            sums = to.times(to.plus(to.times(own, self.strip), place), p * q * lanes)
            arguments = [
                (work.scratch, to.times(place, self.chunk * p * self.deep)),
                (work.buffer("weights"), weights),
                (work.buffer("bias"), to.times(block, lanes)),
                (work.scratch, to.plus(self._packed, sums) if self.chunks > 1 else 0),
                (work.buffer("target"), to.plus(target.start, to.times(block, target.block))),
            ]
            if added:
                arguments.append((work.buffer("added"), to.plus(added.start, to.times(block, added.block))))
            to.run(code, *arguments, numbers=[self._pixel(to, to.plus(first, place)), place])

    def _one_tile(self, work: Work, starts: bool, ends: bool) -> Emitter:
        """A function (packed, weights, bias, sums, target[, added]; pixel, place): a chunk of a tile."""
        added, (p, q), lanes = self.finish.added, self.tile, work.to.lanes
        name = f"{self.symbol}_tile{int(starts)}{int(ends)}"
        to = Emitter(work.to.mod, name, work.to.target, 6 if added else 5, 2, inner=True)
        packed, weights, bias, held, result, *more = to.memories
        pixel = to.parameter(0, 0, self.target.pixels - p)
        asking = Asking(self.panel, self.strip, to.parameter(1, 0, self.strip - 1)) if self.far else None
        places = [(i, j, (i * q + j) * lanes) for i in range(p) for j in range(q)]
        sums: list[list[object]] = [[] for _ in range(p)]
        for i, j, place in places:
            sums[i].append(to.variable(to.get(bias, j * lanes) if starts else to.get(held, place)))
        parts = [Reduction([(self.chunk, p * self.deep, self.deep)], self.deep)]
        steps = [i * self.deep for i in range(p)]
        multiply(to, parts, packed, weights, [0], steps, sums, asking, add=self.stored.add)
        wide = self.target.width
        there = offsets(to, self.target, pixel, p, wide) if ends else []
        beside = offsets(to, added, pixel, p, wide) if ends and added else there
        for i, j, place in places:
            value = to.read(sums[i][j])
            if ends:
                other = to.get(more[0], to.plus(beside[i], j * added.block)) if added else None
                value = self.finish.apply(to, value, other)
                to.put(value, result, to.plus(there[i], j * self.target.block))
            else:
                to.put(value, held, place)
        to.ret_void()
        return to


def _chunk(blocks: int, stored: Storage = FP32) -> int:
    """Blocks of input channels at hand."""
    fewest, most = (stored.inputs * bound for bound in AT_HAND)
    divisors = [n for n in range(fewest, most + 1) if blocks % n == 0]
    return max(divisors) if divisors and blocks > most else blocks


def _strips(source: Layout, target: Layout, machine: Target, stored: Storage = FP32) -> int:
    """Strips whose packed pixels take a part of the second-level cache."""
    size = 4 * target.pixels * _chunk(source.blocks, stored) * source.lanes // stored.inputs
    return -(-size // (core(machine).second // 3))


def packed(
    source: Layout,
    target: Layout,
    stride: tuple[int, int],
    finish: Finish,
    machine: Target,
    threads: int,
    gate: Layout | None = None,
    stored: Storage = FP32,
) -> Packed:
    """The kernel for these maps: the fastest tile, strips that the second-level cache holds, as many parts of
    the groups as are best shared out, though each copies its pixels anew."""
    deep = stored.deep(source.channels)
    p, q = tile = product_tile(target.pixels, target.blocks, deep, machine)
    chunk, tiles, groups = _chunk(source.blocks, stored), -(-target.pixels // p), -(-target.blocks // q)
    strip = -(-tiles // min(tiles, _strips(source, target, machine, stored)))
    copied = COPY * target.pixels * source.blocks  # cycles
    sums = product_cycles(target.pixels, groups * q, deep, tile, machine)

    def cycles(parts: int) -> float:
        units = parts * -(-tiles // strip)
        return (sums + parts * copied) * uneven(units, threads)

    fewest = 1 if chunk == source.blocks else min(groups, 2 * SHARES)  # sums that wait are to stay near
    parts = min((n for n in range(fewest, groups + 1) if groups % n == 0), key=cycles)
    if parts * -(-tiles // strip) < threads:  # their number has no such divisor: pixels are cut instead
        strip = -(-tiles // min(tiles, SHARES))
    if stored.dots:  # copies are small: strips can be as many as are shared out well
        strip, parts = _shared(tiles, groups, -(-tiles // strip), fewest, sums, copied, threads)
    cut, far = groups // parts, 4 * target.blocks * target.lanes * deep > core(machine).second // 2
    return Packed(source, target, stride, tile, strip, cut, chunk, far, finish, gate, stored)


def _shared(
    tiles: int, groups: int, strips: int, fewest: int, sums: float, copied: float, threads: int
) -> tuple[int, int]:
    """(tiles of a strip, parts of the groups) that take the least time; so many strips and parts at least.

    The last tiles may be computed twice, each part copies its pixels, and who is done first waits.
    """

    def cycles(cut: tuple[int, int]) -> float:
        strip, parts = cut
        pieces = -(-tiles // strip)
        turns = -(-pieces * parts // threads) + (WAIT if threads > 1 else 0)
        return (sums * pieces * strip / tiles + parts * copied) * turns / (pieces * parts)

    found = {-(-tiles // n) for n in range(strips, min(tiles, strips + 4 * threads) + 1)}
    parts = [n for n in range(fewest, groups + 1) if groups % n == 0]
    return min(((strip, n) for strip in sorted(found, reverse=True) for n in parts), key=cycles)


def pays(source: Layout, target: Layout, stride: tuple[int, int], machine: Target) -> bool:
    """Measured: where pixels lie apart, unless all weights are near; else for few pixels and many weights."""
    weights = 4 * source.channels * target.blocks * target.lanes
    if stride != (1, 1):
        return weights > core(machine).first
    return weights > core(machine).second and target.pixels > 1 and _strips(source, target, machine) == 1
