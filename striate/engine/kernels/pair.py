"""1x1 convolution and depthwise convolution in one pass, as in every inverted residual (arXiv 1801.04381).

A unit makes a few vectors of channels of the wide map between the two, for all rows or a strip of them, in
memory of its thread, and at once sums the depthwise windows over them: the wide map never leaves the cache,
nobody waits for it, and its padding is written once for all units. A strip's rows overlap with those of the
next by what a window reaches; small maps are one strip.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from striate.engine.choose import Settings
from striate.engine.index import Memory, Number
from striate.engine.kernels.direct import Window
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.frame import clear_frame
from striate.engine.kernels.grouped import Row, columns, row_at, sums_operands
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.packing import filled_up
from striate.engine.kernels.panels import Panels, Product, product_tile, product_tiles
from striate.engine.kernels.rounding import in_words
from striate.engine.kernels.storage import FP32, Storage
from striate.engine.layout import Layout

TRIED = 4  # tiles that may be cut evenly for all threads
ROOM = 3 * 2**16  # bytes of the wide map in the second-level cache
Array = NDArray[np.float32]


@dataclass(frozen=True)
class PairKernel(Kernel):
    """``strip``: output rows of a unit. ``between``: what is done to the wide map's values.

    ``sums``: where the sum of each row of outputs goes, if anybody wants it. ``stored``: how the first
    weights are; of dots, ``source`` is in words, too.
    """

    family: ClassVar[str] = "1x1 + depthwise"
    source: Layout
    target: Layout
    panels: Panels
    between: Finish
    window: Window
    strip: int
    tile: int
    finish: Finish
    sums: Layout | None = None
    stored: Storage = FP32

    @property
    def operands(self) -> tuple[Operand, ...]:
        kh, kw = self.window.kernel
        channels = self.panels.blocks * self.panels.lanes
        return (
            Operand("source", self.source.size),
            Operand("weights", self.panels.weights // self.stored.inputs, shared=True),
            Operand("bias", channels, shared=True),
            Operand("second weights", kh * kw * channels, shared=True),
            Operand("second bias", channels, shared=True),
            Operand("target", self.target.size),
            *self.finish.operands,
            *sums_operands(self.sums),
        )

    @property
    def storage(self) -> str:
        return self.stored.name

    def pack_second(self, weight: Array, bias: Array | None) -> dict[str, Array]:
        """Weights (channels, 1, kh, kw) as [block][tap][lane]."""
        blocks, lanes, taps = self.panels.blocks, self.panels.lanes, weight[0].size
        full, shift = np.zeros((blocks * lanes, taps), np.float32), filled_up(bias, blocks * lanes)
        full[: len(weight)] = weight.reshape(len(weight), taps)
        packed = full.reshape(blocks, lanes, taps).transpose(0, 2, 1)
        return {"second weights": np.ascontiguousarray(packed).ravel(), "second bias": shift}

    # --- strips -----------------------------------------------------------------------------------------

    @property
    def strips(self) -> int:
        return -(-self.target.height // self.strip)

    def _firsts(self) -> list[int]:
        """The first output row of each strip; the last strip is moved back to end with the map."""
        return [min(i * self.strip, self.target.height - self.strip) for i in range(self.strips)]

    def _spans(self) -> tuple[list[int], int, list[int]]:
        """For each strip the first row of the wide map that it makes; their number; the row, counted from
        there, where its first output's window begins.
        """
        (sy, _), (kh, _), (dy, _) = self.window.stride, self.window.kernel, self.window.dilation
        tall = self.source.height
        begins = [first * sy - self.window.before[0] for first in self._firsts()]
        reach = (self.strip - 1) * sy + dy * (kh - 1) + 1
        rows = max(max(1, min(begin + reach, tall) - max(begin, 0)) for begin in begins)
        starts = [min(max(begin, 0), tall - rows) for begin in begins]
        return starts, rows, [begin - start for begin, start in zip(begins, starts, strict=True)]

    @property
    def wide(self) -> Layout:
        """The rows of the wide map that a unit makes, framed by the padding."""
        (_, rows, begins), (sy, _), (kh, _) = self._spans(), self.window.stride, self.window.kernel
        end = max(begins) + (self.strip - 1) * sy + self.window.dilation[0] * (kh - 1) + 1
        _, left, _, right = self.window.frame(
            (self.source.height, self.source.width), (self.target.height, self.target.width)
        )
        frame = (max(0, -min(begins)), left, max(0, end - rows), right)
        lanes = self.panels.lanes
        return Layout(self.panels.tile[1] * lanes, rows, self.source.width, lanes, frame)

    @property
    def units(self) -> int:
        return self.strips * self.panels.groups

    @property
    def scratch(self) -> int:
        return self.wide.size

    @property
    def multiply_adds(self) -> int:
        p = self.panels.tile[0]
        made = self.strips * -(-self.wide.pixels // p) * p * self.panels.channels
        kh, kw = self.window.kernel
        summed = self.strips * self.strip * -(-self.target.width // self.tile) * self.tile * kh * kw
        return (made + summed) * self.panels.blocks * self.panels.lanes

    def describe(self) -> str:
        p, q = self.panels.tile
        words = self.finish.describe() + (" + sums of rows" if self.sums else "")
        return f"{p} pixels, {q * self.panels.lanes} channels, {self.strip} rows{words}"

    # --- code -------------------------------------------------------------------------------------------

    def begin(self, work: Work) -> None:
        for block in range(self.panels.tile[1]):
            clear_frame(work.to, work.scratch, self.wide, block * self.wide.block)

    def body(self, work: Work) -> None:
        strip, group = work.to.divide(work.unit, self.panels.groups)
        self.panels.in_group(work.to, group, partial(self._unit, work, strip))

    def _unit(self, work: Work, strip: Number, group: Number, vectors: int) -> None:
        to, wide, panels = work.to, self.wide, self.panels
        starts, _, begins = self._spans()
        tiles = -(-wide.pixels // panels.tile[0])
        product = Product(panels, self.source, wide, self.between, tiles, self.stored)
        tile = product.code(to, f"{self.symbol}_tile{vectors}", vectors)
        above = to.times(to.entry_of(starts, strip), self.source.width)

        def buffer(name: str) -> Memory:
            return work.scratch if name == "target" else work.buffer(name)

        with to.loop(tiles) as turn:
            pixel = to.least(to.times(turn, panels.tile[0]), wide.pixels - panels.tile[0])
            product.call(to, tile, buffer, group, to.plus(above, pixel), turn, (0, pixel))
        straight, summed = (tuple(range(to.lanes)),), self.sums is not None
        row = Row(self.window, self.tile, straight, wide.row, self.target.width, self.finish, summed)
        code = row.code(to, f"{self.symbol}_row{vectors}")
        begin, first = to.entry_of(begins, strip), to.entry_of(self._firsts(), strip)
        with to.loop(vectors) as q, to.loop(self.strip) as y:
            block = to.plus(to.times(group, panels.tile[1]), q)
            down = to.plus(begin, to.times(y, self.window.stride[0]))
            at = to.plus(wide.start - self.window.before[1] * to.lanes, to.times(down, wide.row))
            arguments = [
                (work.scratch, to.plus(at, to.times(q, wide.block))),
                (work.buffer("second weights"), to.times(block, row.taps * to.lanes)),
                (work.buffer("second bias"), to.times(block, to.lanes)),
            ]
            outputs = (("target", self.target), ("added", self.finish.added), ("sums", self.sums))
            for name, layout in outputs:
                if layout:
                    arguments.append((work.buffer(name), row_at(to, layout, block, to.plus(first, y))))
            to.run(code, *arguments)


def paired(
    source: Layout,
    target: Layout,
    between: Finish,
    window: Window,
    finish: Finish,
    settings: Settings,
    sums: Layout | None = None,
    stored: Storage = FP32,
) -> list[PairKernel]:
    """The estimated best first: as tall strips as the cache holds (two tiles), lower ones, more of both.

    ``source``: the map before it is rounded, if it is.
    """
    registers, channels, deep = settings.target.registers, source.channels, stored.deep(source.channels)
    source = in_words(source) if stored.dots else source
    tile = product_tile(source.pixels, target.blocks, deep, settings.target)

    def kernel(strips: int, tile: tuple[int, int]) -> PairKernel:
        panels = Panels(channels, target.blocks, target.lanes, tile)
        strip = -(-target.height // strips)
        across = columns(target.width, registers)
        return PairKernel(source, target, panels, between, window, strip, across, finish, sums, stored)

    strips = 1
    while 4 * kernel(strips, tile).scratch > ROOM and strips < target.height:
        strips += 1
    found = []
    for number in (strips, min(2 * strips, target.height)):
        pixels = kernel(number, tile).wide.pixels
        tiles = product_tiles(pixels, target.blocks, deep, settings.target)
        found.append([kernel(number, one) for _, one in tiles[:TRIED]])
    tall, low = found
    return list(dict.fromkeys([*tall[:2], *low[:1], *tall[2:], *low[1:]]))
