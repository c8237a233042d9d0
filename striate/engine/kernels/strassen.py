"""1x1 convolution with seven eighths of the multiply-adds, or 49 of 64: Strassen's product (``seven``).

Pixels, input channels and output channels are halved, or cut in four: A11 is the first half of the inputs at
the first half of the pixels, B12 what leads from the first half of the inputs to the second half of the
outputs. Sums of weights are made once, those of the map where a unit copies its pixels, as ``packed`` does
too. Sums of products cost next to nothing: a product begins with what an earlier one left, and weights of a
part of the inputs stay in the first-level cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, product
from math import ceil
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from striate.engine.emit import Emitter, Vector
from striate.engine.index import Memory, Number
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.gate import gate_of, gate_operands, gated
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.multiply import LINE, Asking, Reduction, multiply
from striate.engine.kernels.packing import filled_up, in_groups
from striate.engine.kernels.panels import Place, offsets
from striate.engine.kernels.seven import BOTH, STEPS, WAITING, Step, of_map, of_weights, quarter, route
from striate.engine.layout import Layout

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Strassen(Kernel):
    """``levels``: how often all is halved; a part is what comes of it. ``tile``: (P, Q), P pixels by Q
    vectors of output channels of one part, a group of them. ``strips``: cuts of the map, each with all parts
    of its pixels. ``cut``: groups of a unit. ``far``: weights come from the third cache or memory. ``gate``:
    see ``packed``.
    """

    family: ClassVar[str] = "strassen"
    source: Layout
    target: Layout
    stride: tuple[int, int]
    tile: tuple[int, int]
    strips: int
    cut: int
    far: bool
    finish: Finish
    gate: Layout | None = None
    levels: int = 1

    @property
    def side(self) -> int:
        """Parts of the pixels of a strip, of the inputs and of the outputs."""
        return 1 << self.levels

    @property
    def products(self) -> int:
        return int(len(STEPS) ** self.levels)

    @property
    def share(self) -> int:
        """Pixels of a part. The parts of a strip may share some; two strips share none."""
        return ceil(ceil(self.target.pixels / self.strips) / self.side)

    @property
    def deep(self) -> int:
        """Blocks of a part of the inputs."""
        return self.source.blocks // self.side

    @property
    def wide(self) -> int:
        """Blocks of a part of the outputs."""
        return self.target.blocks // self.side

    @property
    def tiles(self) -> int:
        return -(-self.share // self.tile[0])

    @property
    def groups(self) -> int:
        return -(-self.wide // self.tile[1])

    @property
    def parts(self) -> int:
        return -(-self.groups // self.cut)

    @property
    def units(self) -> int:
        return self.strips * self.parts

    @property
    def panel(self) -> int:
        """Weights of one product of one group."""
        return self.deep * self.source.lanes * self.tile[1] * self.target.lanes

    @property
    def operands(self) -> tuple[Operand, ...]:
        return (
            Operand("source", self.source.size),
            Operand("weights", self.groups * self.products * self.panel, shared=True),
            Operand("bias", self.target.blocks * self.target.lanes, shared=True),
            Operand("target", self.target.size),
            *self.finish.operands,
            *gate_operands(self.gate),
        )

    @property
    def copied(self) -> int:
        """From what one product takes of the map to the next; one vector more spreads them over the cache."""
        return (self.tiles * self.deep * self.tile[0] + 1) * self.source.lanes

    @property
    def sums(self) -> int:
        """Values of one tile's sums."""
        return self.tile[0] * self.tile[1] * self.target.lanes

    @property
    def waits(self) -> tuple[int, ...]:
        """Where the sums begin that wait for others of a level, the innermost first; where they end."""
        each = (len(WAITING) * 4**level * self.tiles * self.sums for level in range(self.levels))
        return tuple(accumulate(each, initial=self.products * self.copied))

    @property
    def scratch(self) -> int:
        return self.waits[-1]

    @property
    def multiply_adds(self) -> int:
        return self.strips * self.groups * self.products * self.tiles * self.tile[0] * self.panel

    def describe(self) -> str:
        p, q = self.tile
        words = (" twice" if self.levels == 2 else "") + gated(self.gate) + self.finish.describe()
        return f"{p} pixels, {q * self.target.lanes} channels, {self.strips} strips{words}"

    def pack(self, weight: Array, bias: Array | None) -> dict[str, Array]:
        """Weights (outputs, inputs) as [group][product][input][output]; the last group ends with the half."""
        lanes, q = self.target.lanes, self.tile[1]
        outputs, inputs = weight.shape
        flat = np.zeros((self.side * self.deep * lanes, self.side * self.wide * lanes))
        flat[:inputs, :outputs] = weight.T
        each = np.stack(of_weights(flat, self.levels)).astype(np.float32)
        shift = filled_up(bias, self.target.blocks * lanes)
        return {"weights": in_groups(each, q * lanes).ravel(), "bias": shift}

    # --- code -------------------------------------------------------------------------------------------

    def body(self, work: Work) -> None:
        to = work.to
        strip, part = to.divide(work.unit, self.parts)
        ends = [(i + 1) * self.target.pixels // self.strips for i in range(self.strips)]
        here = [
            to.entry_of(
                [
                    min(begin + i * self.share, end - self.share)
                    for begin, end in zip((0, *ends), ends, strict=False)
                ],
                strip,
            )
            for i in range(self.side)
        ]
        self._copy(work, here)
        codes: dict[str, Emitter] = {}
        with to.loop(self.cut) as own:
            group = to.plus(to.times(part, self.cut), own)
            for number in range(self.products):
                steps = route(number, self.levels)
                kind = "_".join(f"{bool(begin):d}{_kind(end)}" for begin, end in steps)
                if kind not in codes:
                    codes[kind] = self._code(work, kind, steps)
                with to.loop(self.tiles) as turn:
                    self._call(work, codes[kind], (number, steps), group, turn, here)

    def _copy(self, work: Work, here: list[Number]) -> None:
        """What the products take of the map, each as [tile][block][pixel][lane]."""
        to, source, p = work.to, self.source, self.tile[0]
        image = work.buffer("source")
        further = [part * self.deep * source.block for part in range(self.side)]
        reach = p * self.stride[1] * source.lanes
        with to.loop(self.tiles) as turn:
            place = to.least(to.times(turn, p), self.share - p)
            parts = [
                offsets(to, source, to.plus(first, place), p, self.target.width, self.stride)
                for first in here
            ]
            with to.loop(self.deep) as b:
                start = to.plus(source.start, to.times(b, source.block))
                row = to.times(to.plus(to.times(turn, self.deep), b), p * to.lanes)
                factors = [
                    gate_of(work, self.gate, to.plus(b, part * self.deep)) for part in range(self.side)
                ]
                for ahead in range(0, reach, LINE):  # the next tile's pixels: their blocks lie far apart
                    for pixels, away in product(parts, further):
                        to.prefetch(image, to.plus(start, pixels[0], away + reach + ahead), near=3)

                def seen(pixel: Number, part: int) -> Vector:
                    value = to.get(image, to.plus(start, pixel, further[part]))
                    return value if factors[part] is None else to.fmul(value, factors[part])

                for i in range(p):
                    values = [[seen(pixels[i], part) for part in range(self.side)] for pixels in parts]
                    for number, value in enumerate(of_map(values, to.fadd, to.fsub)):
                        to.put(value, work.scratch, to.plus(number * self.copied + i * to.lanes, row))

    def _call(
        self,
        work: Work,
        code: Emitter,
        numbered: tuple[int, list[Step]],
        group: Number,
        turn: Number,
        here: list[Number],
    ) -> None:
        """``numbered``: a product's number and steps."""
        to, (p, q), (number, steps) = work.to, self.tile, numbered
        panel = to.plus(to.times(group, self.products), number)
        copied = to.plus(number * self.copied, to.times(turn, self.deep * p * to.lanes))
        arguments = [(work.scratch, copied), (work.buffer("weights"), to.times(panel, self.panel))]
        for level, (begin, end) in enumerate(steps):
            row, column = quarter(steps[:level])
            inside = row * 2**level + column

            def waiting(name: str, level: int = level, inside: int = inside) -> tuple[Memory, Number]:
                place = (WAITING.index(name) * 4**level + inside) * self.tiles * self.sums
                return work.scratch, to.plus(self.waits[level] + place, to.times(turn, self.sums))

            names = [*begin, *(end if end in WAITING else "YZ" if end == BOTH else "")]
            arguments += map(waiting, names)
        row, column = (0, 0) if steps[-1][1] in WAITING else quarter(steps)
        pixel = to.plus(here[row], to.least(to.times(turn, p), self.share - p))
        if steps[-1][1] not in WAITING:
            block = to.plus(to.least(to.times(group, q), self.wide - q), column * self.wide)
            arguments.append((work.buffer("bias"), to.times(block, to.lanes)))
            for name, layout in (("target", self.target), ("added", self.finish.added)):
                if layout:
                    arguments.append((work.buffer(name), Place(layout).start(to, block, pixel)))
        to.run(code, *arguments, numbers=[pixel, turn])

    def _code(self, work: Work, kind: str, steps: list[Step]) -> Emitter:
        """A function (copied, weights, then of each level the sums before and where they wait[, bias, target
        [, added]])."""
        (p, q), lanes, ends = self.tile, work.to.lanes, steps[-1][1] not in WAITING
        count = 2 + sum(bool(begin) + 2 * (end == BOTH) for begin, end in steps)
        count += 2 + bool(self.finish.added) if ends else 1
        to = Emitter(work.to.mod, f"{self.symbol}_{kind}", work.to.target, count, 2, inner=True)
        pixel = to.parameter(0, 0, self.target.pixels - p)
        turn = to.parameter(1, 0, self.tiles - 1)
        copied, weights, *rest = to.memories
        before = rest.pop(0) if steps[0][0] else None
        places = [(i, j, (i * q + j) * lanes) for i in range(p) for j in range(q)]
        sums: list[list[Any]] = [[] for _ in range(p)]
        for i, _, place in places:
            sums[i].append(to.variable(to.get(before, place) if before else to.constant(0)))
        asking = Asking(self.panel, self.tiles, turn) if self.far else None
        parts = [Reduction([(self.deep, p * lanes, lanes)], lanes)]
        multiply(to, parts, copied, weights, [0], [i * lanes for i in range(p)], sums, asking)
        there, beside = (self._pixels(to, layout, pixel) for layout in (self.target, self.finish.added))
        for i, j, place in places:
            value, memories = to.read(sums[i][j]), iter(rest)
            for level, (begin, end) in enumerate(steps):
                if begin and level:
                    value = to.fadd(value, to.get(next(memories), place))
                if end == BOTH:
                    y, z = next(memories), next(memories)
                    to.put(to.fadd(value, to.get(z, place)), z, place)
                    value = to.fadd(value, to.get(y, place))
                elif end in WAITING:
                    to.put(value, next(memories), place)
            if ends:
                self._end(to, value, list(memories), j, there[i], beside[i])
        to.ret_void()
        return to

    def _pixels(self, to: Emitter, layout: Layout | None, pixel: Number) -> list[Number]:
        return Place(layout).offsets(to, pixel, self.tile[0]) if layout else [0] * self.tile[0]

    def _end(
        self, to: Emitter, value: Vector, memories: list[Memory], j: int, there: Number, beside: Number
    ) -> None:
        """The finished value of a pixel and one vector of outputs, at (bias, target[, added])."""
        added, (bias, target, *more) = self.finish.added, memories
        value = to.fadd(value, to.get(bias, j * to.lanes))
        other = to.get(more[0], to.plus(beside, j * added.block)) if added else None
        to.put(self.finish.apply(to, value, other), target, to.plus(there, j * self.target.block))


def _kind(end: str) -> str:
    return "wait" if end in WAITING else "both" if end == BOTH else "end"
