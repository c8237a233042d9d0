"""Direct convolution: the sum itself, with a tile of outputs held in registers. Any window; dense layers too.

The outputs of a map are cut into runs of neighbouring pixels of one row. A tile is some runs, one after the
other, wherever rows end, times some vectors of output channels, so that no width wastes more than the last
tile. A strip is as many tiles as leave their input in the cache; all output channels of a strip are computed
before the next one, so that no input travels twice. Weights are stored in the order in which they are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from striate.engine.emit import Emitter
from striate.engine.index import Number
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.multiply import LINE, Asking, Reduction, multiply
from striate.engine.kernels.packing import filled_up
from striate.engine.kernels.storage import FP32, Storage
from striate.engine.layout import Layout

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """A convolution's geometry on two axes; ``before``: pixels of padding above and to the left."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    before: tuple[int, int] = (0, 0)

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    def frame(self, source: tuple[int, int], target: tuple[int, int]) -> tuple[int, int, int, int]:
        """How far (top, left, bottom, right) the windows of ``target`` pixels reach beyond ``source``."""
        after = [
            (n - 1) * s + d * (k - 1) + 1 - p - size
            for n, s, d, k, p, size in zip(
                target, self.stride, self.dilation, self.kernel, self.before, source, strict=True
            )
        ]
        return max(0, self.before[0]), max(0, self.before[1]), max(0, after[0]), max(0, after[1])


@dataclass(frozen=True)
class Tile:
    """``runs`` of ``columns`` neighbouring pixels, times ``vectors`` of output channels.

    ``strip``: tiles whose input stays in the cache. ``far``: weights come from the third cache or memory.
    ``following``: see ``multiply``. ``touch``: results are asked for before they are summed.
    """

    runs: int
    columns: int
    vectors: int
    strip: int
    far: bool = False
    following: int = 0
    touch: bool = False

    @property
    def pixels(self) -> int:
        return self.runs * self.columns


@dataclass(frozen=True)
class Direct(Kernel):
    """``starts``: the first input block of each group of ``tile.vectors`` output vectors.

    ``span``: input channels that such a group sees, from the start of that block on. ``stored``: how weights
    are; of dots, ``source`` is in words, too, which are its channels.
    """

    family: ClassVar[str] = "direct"
    source: Layout
    target: Layout
    window: Window
    tile: Tile
    starts: tuple[int, ...]
    span: int
    finish: Finish
    stored: Storage = FP32

    @property
    def operands(self) -> tuple[Operand, ...]:
        lanes = self.target.lanes
        weights = len(self.starts) * self.window.taps * self._lanes_read * self.tile.vectors * lanes
        return (
            Operand("source", self.source.size),
            Operand("weights", weights, shared=True),
            Operand("bias", self.target.blocks * lanes, shared=True),
            Operand("target", self.target.size),
            *self.finish.operands,
        )

    @property
    def _lanes_read(self) -> int:
        return -(-self.span // self.source.lanes) * self.source.lanes

    @property
    def _runs_a_row(self) -> int:
        return -(-self.target.width // self.tile.columns)

    @property
    def _runs(self) -> int:
        return self.target.height * self._runs_a_row

    @property
    def _tiles(self) -> int:
        return -(-self._runs // self.tile.runs)

    @property
    def units(self) -> int:
        return len(self.starts) * -(-self._tiles // self.tile.strip)

    @property
    def whole_batch(self) -> bool:
        """Where a strip is the whole map, weights are read once for all images."""
        return self._tiles <= self.tile.strip

    @property
    def multiply_adds(self) -> int:
        outputs = self._tiles * self.tile.pixels * len(self.starts) * self.tile.vectors * self.target.lanes
        return outputs * self.window.taps * self.span * self.stored.inputs

    @property
    def storage(self) -> str:
        return self.stored.name

    def describe(self) -> str:
        tile = self.tile
        pixels = f"{tile.runs}x{tile.columns} pixels, {tile.vectors * self.target.lanes} channels"
        strip = f", {-(-self._tiles // tile.strip)} strips" if tile.strip < self._tiles else ""
        return f"{pixels}{strip}{self.finish.describe()}"

    def pack(self, weight: Array, bias: Array | None, groups: int = 1) -> dict[str, Array]:
        """Weights (K, C / groups, *kernel) in the order of reading: [group][C][taps][lane][output].

        A channel that an output does not see has weight 0.
        """
        lanes, vectors, inputs = self.target.lanes, self.tile.vectors, self.stored.inputs
        outputs, seen = weight.shape[:2]
        (kh, kw), deep = self.window.kernel, inputs * self.source.lanes
        packed = np.zeros((len(self.starts), inputs * self._lanes_read, kh, kw, vectors * lanes), np.float32)
        for place, start in enumerate(self.starts):
            first = min(place * vectors, self.target.blocks - vectors) * lanes
            for own in range(first, min(first + vectors * lanes, outputs)) if groups > 1 else ():
                channel = own // (outputs // groups) * seen - start * deep
                packed[place, channel : channel + seen, :, :, own - first] = weight[own]
            if groups == 1:
                some = weight[first : first + vectors * lanes]
                packed[place, :seen, :, :, : len(some)] = some.transpose(1, 2, 3, 0)
        blocked = packed.reshape(len(self.starts), -1, deep, kh, kw, vectors * lanes)
        rows = self.stored.words(blocked.transpose(0, 1, 3, 4, 2, 5).reshape(-1, vectors * lanes))
        return {"weights": rows.ravel(), "bias": filled_up(bias, self.target.blocks * lanes)}

    # --- code -------------------------------------------------------------------------------------------

    def body(self, work: Work) -> None:
        strip, group = work.to.divide(work.unit, len(self.starts))
        inner = self._one_tile(work)
        if not self.whole_batch:
            self._strip(work, inner, strip, group)
            return
        with work.every_image():
            self._strip(work, inner, 0, group)

    def _strip(self, work: Work, inner: Emitter, strip: Number, group: Number) -> None:
        """One group of output channels of one strip."""
        to, target, source, tile = work.to, self.target, self.source, self.tile
        vector = to.least(to.times(group, tile.vectors), target.blocks - tile.vectors)
        weights, added = work.buffer("weights"), self.finish.added
        block = to.times(to.entry_of(self.starts, group), source.block)
        arguments = [
            (work.buffer("source"), 0),
            (weights, to.times(group, weights.size // len(self.starts) if weights.size else 0)),
            (work.buffer("bias"), to.times(vector, target.lanes)),
            (work.buffer("target"), 0),
            *(((work.buffer("added"), 0),) if added else ()),
        ]
        first = to.times(strip, tile.strip)
        with to.range_of(first, tile.strip, self._tiles) as number:
            run = to.least(to.times(number, tile.runs), self._runs - tile.runs)
            places = [self._pixel(to, to.plus(run, i)) for i in range(tile.runs)]
            offsets = [to.plus(self._source_at(to, y, x), block) for y, x in places]
            for layout in (target, *((added,) if added else ())):
                own = to.plus(layout.start, to.times(vector, layout.block))
                offsets += [to.plus(own, _pixel_at(to, layout, y, x)) for y, x in places]
            to.run(inner, *arguments, numbers=[*offsets, to.divide(number, tile.strip)[1]])

    def _pixel(self, to: Emitter, run: Number) -> tuple[Number, Number]:
        """Where a run begins; the last of a row is moved back to end with the row."""
        y, place = to.divide(run, self._runs_a_row)
        return y, to.least(to.times(place, self.tile.columns), self.target.width - self.tile.columns)

    def _source_at(self, to: Emitter, y: Number, x: Number) -> Number:
        (sy, sx), (top, left), source = self.window.stride, self.window.before, self.source
        first = source.start - top * source.row - left * source.lanes
        return to.plus(first, to.times(y, sy * source.row), to.times(x, sx * source.lanes))

    def _ends(self, layout: Layout) -> tuple[int, int]:
        """The least and greatest offset of a run's first pixel in the first of a tile's vectors."""
        last = (self.target.height - 1) * layout.row + (self.target.width - self.tile.columns) * layout.lanes
        return layout.start, layout.start + last + (self.target.blocks - self.tile.vectors) * layout.block

    def _one_tile(self, work: Work) -> Emitter:
        """One tile: sums in registers, from the first tap to the stored result."""
        tile, source, target, added = self.tile, self.source, self.target, self.finish.added
        outputs = (target, *((added,) if added else ()))
        to = Emitter(
            work.to.mod,
            f"{self.symbol}_tile",
            work.to.target,
            3 + len(outputs),
            tile.runs * (1 + len(outputs)) + 1,
            inner=True,
        )
        (sy, sx), (top, left), last = self.window.stride, self.window.before, tile.columns
        low = source.start - top * source.row - left * source.lanes
        high = low + (target.height - 1) * sy * source.row + (target.width - last) * sx * source.lanes
        ends = [(low, high + max(self.starts) * source.block), *map(self._ends, outputs)]
        pairs = [pair for pair in ends for _ in range(tile.runs)]
        offsets = [to.parameter(place, *pair) for place, pair in enumerate(pairs)]
        turn = to.parameter(len(pairs), 0, min(tile.strip, self._tiles) - 1)
        image, weights, bias, result, *more = to.memories
        steps = [x * sx * source.lanes for x in range(tile.columns)]
        shift = [to.get(bias, q * to.lanes) for q in range(tile.vectors)]
        sums = [[to.variable(value) for value in shift] for _ in range(tile.pixels)]
        for i, (memory, layout) in enumerate(zip((result, *more), outputs, strict=True)):
            for run in offsets[tile.runs * (i + 1) : tile.runs * (i + 2)] if tile.touch else ():
                for q in range(tile.vectors):
                    for x in range(0, tile.columns * layout.lanes, LINE):
                        to.prefetch(memory, to.plus(run, q * layout.block + x), near=3, write=i == 0)
        runs = offsets[: tile.runs]
        panel = self.window.taps * self._lanes_read * tile.vectors * target.lanes
        asking = Asking(panel, min(tile.strip, self._tiles), turn) if tile.far else None
        add = self.stored.add
        multiply(to, self._reduction(), image, weights, runs, steps, sums, asking, tile.following, add)
        for place, row in enumerate(sums):
            number, column = divmod(place, tile.columns)
            for q, variable in enumerate(row):
                at = [
                    to.plus(offsets[tile.runs * (i + 1) + number], q * layout.block + column * layout.lanes)
                    for i, layout in enumerate(outputs)
                ]
                other = to.get(more[0], at[1]) if added else None
                to.put(self.finish.apply(to, to.read(variable), other), result, at[0])
        to.ret_void()
        return to

    def _reduction(self) -> list[Reduction]:
        """All full blocks of input channels, then what is left of the last."""
        deep, (kh, kw), (dy, dx) = self.source.lanes, self.window.kernel, self.window.dilation
        full, rest = divmod(self.span, deep)
        taps = [(kh, dy * self.source.row, kw * deep), (kw, dx * deep, deep)]
        parts = [Reduction([(full, self.source.block, kh * kw * deep), *taps], deep)] if full else []
        if rest:
            parts.append(Reduction(taps, rest, full * self.source.block, full * kh * kw * deep))
        return parts


def _pixel_at(to: Emitter, layout: Layout, y: Number, x: Number) -> Number:
    return to.plus(to.times(y, layout.row), to.times(x, layout.lanes))
