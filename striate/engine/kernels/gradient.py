"""The gradient of a convolution's weights: the sizes, and what its two kernels share.

Maps lie pixel by pixel, all channels of a pixel together (N, H, W, C), which is torch's ``channels_last``,
and without a frame; so does the result, (K, kh, kw, C). A unit of work is a block of the result, some input
channels times some output channels, summed over all images in one order: the same bits with any number of
threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

from striate.engine.emit import Emitter, Vector
from striate.engine.index import Memory, Number
from striate.engine.kernels.channels_last import together
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.multiply import LINE

LANES = 16  # of the widest vectors


@dataclass(frozen=True)
class Span:
    """``count`` tiles from ``first`` on lack as many places ``before`` and ``after`` the map's edges."""

    first: int
    count: int
    before: int
    after: int


def spans(tiles: int, step: int, size: int, padding: int, extent: int) -> list[Span]:
    """Along one axis: tile t needs places ``step * t - padding`` on, ``size`` of them, of ``extent``."""

    def lacking(tile: int) -> tuple[int, int]:
        start = step * tile - padding
        return max(0, -start), max(0, start + size - extent)

    groups = [(edges, list(those)) for edges, those in groupby(range(tiles), lacking)]
    return [Span(those[0], len(those), *edges) for edges, those in groups]


@dataclass(frozen=True)
class Portion:
    """At hand at a time: ``places``, of whole images; or of one image ``rows`` rows from ``first`` on."""

    places: Number
    first: Number | None
    rows: Number


@dataclass(frozen=True)
class Rows:
    """``down`` rows of ``across`` places; about ``together`` of them are at hand at a time."""

    down: int
    across: int
    together: int

    @property
    def images(self) -> int:
        """How many at a time; 0: not even one."""
        return self.together // (self.down * self.across)

    @property
    def of_one(self) -> int:
        """How many rows of one image at a time."""
        return self.down if self.images else max(1, self.together // self.across)

    @property
    def most(self) -> int:
        """Places at hand, at most."""
        return max(1, self.images) * self.of_one * self.across

    @contextmanager
    def portions(self, work: Work) -> Iterator[Portion]:
        """Inside a whole-batch unit: portion by portion, through all images."""
        to = work.to
        if self.images:
            with work.some_images(self.images):
                yield Portion(to.times(work.these(), self.down * self.across), None, self.down)
            return
        with work.every_image(), to.loop(self.down, self.of_one) as first:
            count = to.least(to.plus(self.down, to.times(first, -1)), self.of_one)
            yield Portion(to.times(count, self.across), first, count)

    @contextmanager
    def each(self, work: Work, portion: Portion) -> Iterator[tuple[Number, Number]]:
        """Each row of the portion: which it is of its image, and how many places were before it."""
        to = work.to
        if portion.first is None:
            with work.each_of_these() as image, to.loop(self.down) as y:
                yield y, to.times(to.plus(to.times(image, self.down), y), self.across)
            return
        with to.loop(portion.rows) as i, to.where(to.plus(portion.first, i), 0, self.down) as y:
            yield y, to.times(i, self.across)


@dataclass(frozen=True)
class WeightGradient(Kernel):
    """``channels`` C, ``outputs`` K; ``size``: H, W of the input; kernel_size, stride, padding as torch's.

    ``block``: input channels and output channels of one unit.
    """

    channels: int
    outputs: int
    size: tuple[int, int]
    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    block: tuple[int, int]

    @property
    def map(self) -> tuple[int, int]:
        """Height and width of the output."""
        axes = zip(self.size, self.kernel_size, self.stride, self.padding, strict=True)
        high, wide = ((size + 2 * pad - kernel) // step + 1 for size, kernel, step, pad in axes)
        return high, wide

    @property
    def taps(self) -> int:
        return self.kernel_size[0] * self.kernel_size[1]

    @property
    def operands(self) -> tuple[Operand, ...]:
        pixels = self.size[0] * self.size[1], self.map[0] * self.map[1]
        return (
            Operand("input", pixels[0] * self.channels),
            Operand("gradient", pixels[1] * self.outputs),
            Operand("result", self.outputs * self.taps * self.channels, shared=True),
        )

    @property
    def blocks(self) -> tuple[int, int]:
        return -(-self.channels // self.block[0]), -(-self.outputs // self.block[1])

    @property
    def units(self) -> int:
        return self.blocks[0] * self.blocks[1]

    @property
    def whole_batch(self) -> bool:
        return True

    def first(self, work: Work) -> tuple[Number, Number]:
        """The first input channel and the first output channel of the unit; the last blocks may overlap."""
        to, (c, k) = work.to, self.block
        i, j = to.divide(work.unit, self.blocks[1])
        return to.least(to.times(i, c), self.channels - c), to.least(to.times(j, k), self.outputs - k)


def transposed(to: Emitter, vectors: list[Vector]) -> list[Vector]:
    """As many vectors as they have lanes, rows made columns."""
    wide = together(to, vectors)
    return [to.pick(wide, wide, range(i, i + to.lanes)) for i in range(0, to.lanes**2, to.lanes)]


def apart(channels: int) -> int:
    """From pixel to pixel: an odd number of cache lines, so that pixels do not share places in the cache."""
    lines = -(-channels // LINE)
    return (lines + (lines + 1) % 2) * LINE


def copy(to: Emitter, source: Memory, at: Number, target: Memory, place: Number, count: int) -> None:
    """``count`` values; the last vector may overlap the one before."""
    lanes = min(to.lanes, count)
    with to.loop(-(-count // lanes)) as i:
        step = to.least(to.times(i, lanes), count - lanes)
        to.put(to.get(source, to.plus(at, step), lanes), target, to.plus(place, step))


@dataclass(frozen=True)
class Ahead:
    """Asks for the pixels of the next portion while this one is computed, in ``parts`` of equal size.

    ``pixels``: of a portion, each of ``total`` channels, of which ``channels`` are read.
    """

    pixels: int
    total: int
    channels: int
    parts: int

    def ask(self, to: Emitter, memory: Memory, begin: Number, part: Number) -> None:
        """``begin``: where the portion at hand begins in memory."""
        each = -(-self.pixels // self.parts)
        start = to.plus(begin, self.pixels * self.total, to.times(part, each * self.total))
        with to.loop(each) as i:
            at = to.plus(start, to.times(i, self.total))
            for line in range(0, self.channels, LINE):
                to.prefetch(memory, to.plus(at, line), near=2)
