"""Direct convolution: the sum itself, with a tile of outputs held in registers. Any window; dense layers too.

A tile is R rows x P columns of pixels times Q vectors of output channels: R*P*Q sums, all in registers. For
each tap and input channel, Q vectors of weights are loaded, and each of the R*P input values is spread over a
vector and multiplied with all Q. So R*P + Q loads feed R*P*Q multiply-adds, which is why tiles are large.
Weights are stored in exactly the order in which they are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from striate.engine.emit import Emitter
from striate.engine.index import Memory, Number
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.layout import Layout

AHEAD = 4096  # values: weights come from far away, and are asked for long before they are needed
UNROLLED = 4  # input channels in the innermost body; more cost LLVM time and gain nothing
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """A convolution's geometry on two axes; ``before``: pixels of padding above and to the left."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    before: tuple[int, int] = (0, 0)

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
class Direct(Kernel):
    """``tile``: (R, P, Q). ``starts``: the first input block of each group of Q output vectors.

    ``span``: input channels that such a group sees, from the start of that block on.
    """

    family: ClassVar[str] = "direct"
    source: Layout
    target: Layout
    window: Window
    tile: tuple[int, int, int]
    starts: tuple[int, ...]
    span: int
    finish: Finish

    @property
    def operands(self) -> tuple[Operand, ...]:
        lanes = self.target.lanes
        taps = self.window.kernel[0] * self.window.kernel[1]
        weights = len(self.starts) * taps * self._lanes_read * self.tile[2] * lanes
        added = self.finish.added
        return (
            Operand("source", self.source.size),
            Operand("weights", weights, shared=True),
            Operand("bias", self.target.blocks * lanes, shared=True),
            Operand("target", self.target.size),
            *((Operand("added", added.size),) if added else ()),
        )

    @property
    def _lanes_read(self) -> int:
        return -(-self.span // self.source.lanes) * self.source.lanes

    @property
    def units(self) -> int:
        return len(self.starts) * -(-self.target.height // self.tile[0])

    @property
    def multiply_adds(self) -> int:
        taps = self.window.kernel[0] * self.window.kernel[1]
        rows, columns, vectors = self.tile
        pixels = -(-self.target.height // rows) * rows * -(-self.target.width // columns) * columns
        return pixels * len(self.starts) * vectors * self.target.lanes * taps * self.span

    def describe(self) -> str:
        rows, columns, vectors = self.tile
        return f"{rows}x{columns} pixels, {vectors * self.target.lanes} channels{self.finish.describe()}"

    def pack(self, weight: Array, bias: Array | None, groups: int = 1) -> dict[str, Array]:
        """Weights (K, C / groups, *kernel) in the order of reading: [group][C][taps][lane][output].

        A channel that an output does not see has weight 0.
        """
        lanes, vectors, deep = self.target.lanes, self.tile[2], self.source.lanes
        outputs, seen = weight.shape[:2]
        kh, kw = self.window.kernel
        packed = np.zeros((len(self.starts), self._lanes_read, kh, kw, vectors * lanes), np.float32)
        for place, start in enumerate(self.starts):
            first = min(place * vectors, self.target.blocks - vectors) * lanes
            for own in range(first, min(first + vectors * lanes, outputs)) if groups > 1 else ():
                channel = own // (outputs // groups) * seen - start * deep
                packed[place, channel : channel + seen, :, :, own - first] = weight[own]
            if groups == 1:
                some = weight[first : first + vectors * lanes]
                packed[place, :seen, :, :, : len(some)] = some.transpose(1, 2, 3, 0)
        blocked = packed.reshape(len(self.starts), -1, deep, kh, kw, vectors * lanes)
        padded = np.zeros(self.target.blocks * lanes, np.float32)
        if bias is not None:
            padded[:outputs] = bias
        return {"weights": np.ascontiguousarray(blocked.transpose(0, 1, 3, 4, 2, 5)).ravel(), "bias": padded}

    def body(self, work: Work) -> None:
        to, source, target = work.to, self.source, self.target
        rows, columns, vectors = self.tile
        tile = self._tile(work)
        group, strip = to.divide(work.unit, -(-target.height // rows))
        y = to.least(to.times(strip, rows), target.height - rows)  # the last strip may repeat some rows
        vector = to.least(to.times(group, vectors), target.blocks - vectors)
        weights = work.buffer("weights")
        each = weights.size // len(self.starts) if weights.size else 0
        (sy, sx), (top, left) = self.window.stride, self.window.before
        taps = to.plus(
            source.start - top * source.row - left * source.lanes,
            to.times(to.entry_of(self.starts, group), source.block),
            to.times(y, sy * source.row),
        )
        with to.loop(-(-target.width // columns)) as turn:
            x = to.least(to.times(turn, columns), target.width - columns)

            def place(layout: Layout, x: Number = x) -> Number:
                return to.plus(
                    layout.start,
                    to.times(vector, layout.block),
                    to.times(y, layout.row),
                    to.times(x, layout.lanes),
                )

            arguments = [
                (work.buffer("source"), to.plus(taps, to.times(x, sx * source.lanes))),
                (weights, to.times(group, each)),
                (work.buffer("bias"), to.times(vector, target.lanes)),
                (work.buffer("target"), place(target)),
            ]
            if self.finish.added:
                arguments.append((work.buffer("added"), place(self.finish.added)))
            to.run(tile, *arguments)

    def _tile(self, work: Work) -> Emitter:
        """One tile: sums in registers, from the first tap to the stored result."""
        rows, columns, vectors = self.tile
        source, target, (sy, sx) = self.source, self.target, self.window.stride
        to = Emitter(
            work.to.mod, f"{self.symbol}_tile", work.to.target, 5 if self.finish.added else 4, inner=True
        )
        lanes = to.lanes
        image, weights, bias, result, *more = to.memories
        pixels = [(r * sy * source.row + p * sx * source.lanes) for r in range(rows) for p in range(columns)]
        sums = [[to.variable(to.get(bias, q * lanes)) for q in range(vectors)] for _ in pixels]
        multiply_taps(to, self._reduction(), image, weights, pixels, sums)
        for place, row in enumerate(sums):
            r, p = divmod(place, columns)
            for q, variable in enumerate(row):
                other = None
                if self.finish.added:
                    other = to.get(more[0], _offset(self.finish.added, q, r, p))
                value = self.finish.apply(to, to.read(variable), other)
                to.put(value, result, _offset(target, q, r, p))
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


@dataclass(frozen=True)
class Reduction:
    """Loops (count, step in the image, step in the weights' rows), then ``channels`` lanes of one pixel."""

    loops: list[tuple[int, int, int]]
    channels: int
    image: int = 0
    row: int = 0


def multiply_taps(
    to: Emitter,
    parts: list[Reduction],
    image: Memory,
    weights: Memory,
    pixels: list[int],
    sums: list[list[object]],
) -> None:
    """sums[p][q] += sum over all taps and channels of image[pixel p] * weights[tap, channel][vector q]."""
    lanes, vectors = to.lanes, len(sums[0])

    def channels(first: Number, row: Number, count: int) -> None:
        for channel in range(count):
            at = to.times(to.plus(row, channel), vectors * lanes)
            weight = [to.get(weights, to.plus(at, q * lanes)) for q in range(vectors)]
            for q in range(vectors):
                to.prefetch(weights, to.plus(at, q * lanes + AHEAD))
            for pixel, row_of_sums in zip(pixels, sums, strict=True):
                value = to.spread(image, to.plus(first, pixel + channel))
                for q, variable in enumerate(row_of_sums):
                    to.store(to.multiply_add(value, weight[q], to.read(variable)), variable)

    def nest(loops: list[tuple[int, int, int]], first: Number, row: Number, deep: int) -> None:
        if loops:
            count, step, rows = loops[0]
            with to.loop(count) as i:
                nest(loops[1:], to.plus(first, to.times(i, step)), to.plus(row, to.times(i, rows)), deep)
            return
        whole = deep // UNROLLED * UNROLLED
        if whole:
            with to.loop(whole, UNROLLED) as c:
                channels(to.plus(first, c), to.plus(row, c), UNROLLED)
        if deep > whole:
            channels(to.plus(first, whole), to.plus(row, whole), deep - whole)

    for part in parts:
        nest(part.loops, part.image, part.row, part.channels)


def _offset(layout: Layout, block: int, row: int, column: int) -> int:
    return block * layout.block + row * layout.row + column * layout.lanes
