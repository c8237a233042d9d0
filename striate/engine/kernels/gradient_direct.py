"""The gradient of a convolution's weights as its definition says: any window, stride and padding.

dW[k, tap, c] is the sum over pixels of dY[pixel, k] * x[stride * pixel + tap, c]. Some pixels at a time are
copied: the input with its frame of zeros, the gradient with its rows of channels apart. Then each tap is a
sum of outer products over all pixels at hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from striate.engine.emit import Emitter
from striate.engine.index import Memory, Number, highest
from striate.engine.kernels.frame import clear
from striate.engine.kernels.gradient import LANES, Portion, Rows, WeightGradient, apart, copy, transposed
from striate.engine.kernels.kernel import Work
from striate.engine.kernels.multiply import LINE
from striate.engine.kernels.outer import Pixels, add_outer_products


@dataclass(frozen=True)
class DirectGradient(WeightGradient):
    """``together``: pixels of the output at hand at a time: whole rows of an image, or whole images.

    A block has all input channels, or some vectors of them; of output channels likewise.
    """

    family: ClassVar[str] = "direct gradient"
    together: int = field(kw_only=True)

    @property
    def rows(self) -> Rows:
        return Rows(*self.map, self.together)

    @property
    def _pointwise(self) -> bool:
        return self.taps == 1

    @property
    def _within(self) -> tuple[int, int]:
        """The stride within the copy: of a window of one pixel, what is between is not copied."""
        return (1, 1) if self._pointwise else self.stride

    @property
    def pixel(self) -> int:
        """From pixel to pixel of the copied input; those of few channels follow each other closely."""
        return self.block[0] if self.block[0] < LINE else apart(self.block[0])

    @property
    def run(self) -> int:
        """Taps whose channels lie one after the other in the copy: those of a row of the window, or one."""
        return self.kernel_size[1] if self.pixel == self.block[0] else 1

    @property
    def copied(self) -> tuple[int, int]:
        """Rows of an image, or of a part of it, and pixels of a row, frame and all."""
        counts = zip((self.rows.of_one, self.map[1]), self._within, self.kernel_size, strict=True)
        high, wide = ((count - 1) * step + kernel for count, step, kernel in counts)
        return high, wide

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Items of the copied input, the copied gradient and the sums, with lanes beyond the last channel."""
        wide = -(-self.block[1] // LANES) * LANES
        high, across = self.copied
        images = max(1, self.rows.images)
        return (
            images * high * across * self.pixel + LANES,
            self.rows.most * apart(wide),
            self.taps * self.block[0] * wide,
        )

    @property
    def scratch(self) -> int:
        return sum(self.sizes)

    @property
    def multiply_adds(self) -> int:
        return self.map[0] * self.map[1] * self.taps * self.channels * self.outputs

    def describe(self) -> str:
        return f"blocks of {self.block[0]}x{self.block[1]}, {self.rows.most} pixels"

    def body(self, work: Work) -> None:
        to, sizes = work.to, self.sizes
        starts = [sum(sizes[:i]) for i in range(3)]
        x, gradient, sums = (to.part(work.scratch, *ends) for ends in zip(starts, sizes, strict=True))
        clear(to, work.scratch, 0, self.scratch)  # frames and empty lanes stay so
        channel, output = self.first(work)
        multiply = self._product(work)
        (high, wide), row = self.kernel_size, self.copied[1] * self.pixel
        with self.rows.portions(work) as portion:
            self._copy_input(work, x, channel, portion)
            self._copy_gradient(work, gradient, output, portion)
            count = work.these() if portion.first is None else portion.rows
            with to.loop(high) as i, to.loop(wide // self.run) as j:
                at = to.plus(to.times(i, row), to.times(j, self.pixel))
                tap = to.times(to.plus(to.times(i, wide), j), self.block[0] * self._wide(to))
                to.run(multiply, (x, at), (gradient, 0), (sums, tap), numbers=[count])
        self._finish(work, sums, channel, output)

    def _wide(self, to: Emitter) -> int:
        """Output channels of a block in whole vectors."""
        return -(-self.block[1] // to.lanes) * to.lanes

    def _copy_input(self, work: Work, x: Memory, channel: Number, portion: Portion) -> None:
        """The rows of the input that meet the portion's; what lies outside of the map is 0."""
        to, top, high = work.to, self.padding[0], self.size[0]
        step = self.stride[0] if self._pointwise else 1
        if portion.first is None:
            with (
                work.each_of_these() as image,
                to.loop(self.copied[0]) as i,
                to.where(to.plus(to.times(i, step), -top), 0, high) as y,
            ):
                self._copy_row(work, x, channel, y, to.plus(to.times(image, self.copied[0]), i))
            return
        rows = to.plus(to.times(portion.rows, self._within[0]), self.kernel_size[0] - self._within[0])
        with to.loop(rows) as i:
            y = to.plus(to.times(portion.first, self.stride[0]), to.times(i, step), -top)
            with to.where(y, 0, high) as row:
                self._copy_row(work, x, channel, row, i)
            for first, count in ((-top, top), (high, highest(y) + 1 - high)):
                if count > 0:
                    with to.where(y, first, count):
                        wide = self.copied[1] * self.pixel
                        clear(to, x, to.times(i, wide), wide)

    def _copy_row(self, work: Work, x: Memory, channel: Number, y: Number, place: Number) -> None:
        """Row ``y`` of the input becomes row ``place`` of the copy."""
        to, source, left = work.to, work.buffer("input"), self.padding[1]
        step, count = 1, min(self.size[1], self.copied[1] - left)
        if self._pointwise:
            step, count = self.stride[1], self.map[1]
        at = to.plus(to.times(y, self.size[1] * self.channels), channel)
        target = to.times(to.plus(to.times(place, self.copied[1]), left), self.pixel)
        if step == 1 and self.pixel == self.channels:
            copy(to, source, at, x, target, count * self.channels)
            return
        with to.loop(count) as j:
            one = to.plus(at, to.times(j, step * self.channels))
            copy(to, source, one, x, to.plus(target, to.times(j, self.pixel)), self.block[0])

    def _copy_gradient(self, work: Work, gradient: Memory, output: Number, portion: Portion) -> None:
        to, wide, source = work.to, self.map[1], "gradient"
        with self.rows.each(work, portion) as (y, before), to.loop(wide) as j:
            at = to.times(to.plus(to.times(y, wide), j), self.outputs)
            place = to.times(to.plus(before, j), apart(self._wide(to)))
            copy(to, work.buffer(source), to.plus(at, output), gradient, place, self.block[1])

    def _product(self, work: Work) -> Emitter:
        """A run of taps, summed over the pixels at hand; (input, gradient, sums), images or rows."""
        to = Emitter(work.to.mod, f"{self.symbol}_mul", work.to.target, 3, 1, inner=True)
        (high, across), (down, right), pixel = self.copied, self._within, self.pixel
        held, wide, g = self.rows, self.map[1], apart(self._wide(to))
        count = to.parameter(0, 1, held.images or held.of_one)
        if self._pointwise:
            loops = [Pixels(to.times(count, held.down * wide if held.images else wide), pixel, g)]
        else:
            loops = [Pixels(count, down * across * pixel, wide * g), Pixels(wide, right * pixel, g)]
            if held.images:
                image = Pixels(count, high * across * pixel, held.down * wide * g)
                loops = [image, Pixels(held.down, down * across * pixel, wide * g), loops[1]]
        x, gradient, sums = to.memories
        rows, vectors = self.run * self.block[0], self._wide(to) // to.lanes
        add_outer_products(to, loops, x, gradient, sums, rows, vectors)
        to.ret_void()
        return to

    def _finish(self, work: Work, sums: Memory, channel: Number, output: Number) -> None:
        """The sums, turned so that input channels are last."""
        to, block = work.to, self.block[0]
        runs, rows = (1, self.taps * block) if block == self.channels else (self.taps, block)
        rest = self.block[1] % to.lanes
        with to.loop(runs) as run:
            own, begin = (to.times(run, block), rows), to.plus(to.times(run, self.channels), channel)
            if self.block[1] >= to.lanes:
                with to.loop(self.block[1] // to.lanes) as i:
                    self._turn(work, sums, own, to.times(i, to.lanes), to.lanes, (begin, output))
            if rest:
                self._turn(work, sums, own, self.block[1] - rest, rest, (begin, output))

    def _turn(
        self,
        work: Work,
        sums: Memory,
        rows: tuple[Number, int],
        k: Number,
        outputs: int,
        at: tuple[Number, Number],
    ) -> None:
        """A vector of output channels from ``k`` on, of so many rows of the sums; ``at``: where they go."""
        to, (first, count), wide = work.to, rows, self._wide(work.to)
        length, lanes = self.taps * self.channels, min(work.to.lanes, rows[1])
        with to.loop(-(-count // lanes)) as i:
            row = to.least(to.times(i, lanes), count - lanes)
            seen = to.moved(sums, to.plus(to.times(to.plus(first, row), wide), k))
            vectors = [to.get(seen, one * wide) for one in range(lanes)]
            square = transposed(to, vectors + [to.constant(0)] * (to.lanes - lanes))
            start = to.plus(to.times(to.plus(at[1], k), length), at[0], row)
            target = to.moved(work.buffer("result"), start)
            for one, value in enumerate(square[:outputs]):
                to.put(to.pick(value, value, range(lanes)), target, one * length)
