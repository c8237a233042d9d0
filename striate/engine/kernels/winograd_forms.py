"""The kernels that carry out Winograd's scheme.

Two forms. ``Tiles``: a thread carries some tiles from input to output, so that V and M stay in its cache.
``Transform`` and ``Product``: for few tiles and many channels, V is made first by all threads, and then each
thread takes some of the output channels, so that no transformed weight is read twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from striate.engine.emit import Emitter
from striate.engine.index import Memory, Number
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.mosaic import Kind
from striate.engine.kernels.multiply import LINE
from striate.engine.kernels.winograd import Scheme


@dataclass(frozen=True)
class Tiles(Kernel):
    """Unit: some tiles, from input to output, for all channels."""

    family: ClassVar[str] = "winograd"
    scheme: Scheme

    @property
    def operands(self) -> tuple[Operand, ...]:
        return self.scheme.operands(Operand("source", self.scheme.source.size))

    @property
    def units(self) -> int:
        return -(-self.scheme.tiles // self.scheme.together)

    @property
    def overlaps(self) -> bool:
        return self.units > 1 and self.scheme.overlap

    @property
    def scratch(self) -> int:
        return self.scheme.positions * (self.scheme.v_step + self.scheme.m_step)

    @property
    def multiply_adds(self) -> int:
        return self.scheme.multiply_adds

    def describe(self) -> str:
        return self.scheme.describe()

    def body(self, work: Work) -> None:
        to, scheme = work.to, self.scheme
        forth = scheme.transforms(work, f"{self.symbol}_in")
        size = scheme.positions * scheme.v_step
        v = to.part(work.scratch, 0, size)
        m = to.part(work.scratch, size, scheme.positions * scheme.m_step)
        first = to.times(work.unit, scheme.together)
        with to.loop(scheme.source.blocks) as block:
            scheme.transform_tiles(work, forth, v, block, first)
        make_outputs(work, scheme, v, m, lambda t, kind: scheme.corner(to, to.plus(first, t), kind))


def make_outputs(
    work: Work,
    scheme: Scheme,
    v: Memory,
    m: Memory,
    corner: Callable[[Number, Kind], tuple[Number, Number]],
) -> None:
    """From V to outputs, of all tiles at hand. ``corner``: the first stored row and column of each."""
    to, symbol = work.to, work.kernel.symbol
    back = scheme.backs(work, f"{symbol}_out")
    with to.loop(scheme.rounds) as number:
        for product, position, v_at, u_at, m_at in scheme.every_position(work, f"{symbol}_mul"):
            place = to.plus(to.times(number, scheme.positions), position)
            own = to.plus(to.times(place, scheme.round * scheme.weights), u_at)
            scheme.multiply(work, product, position, (v, v_at), (work.buffer("weights"), own), (m, m_at))
        scheme.finish_tiles(work, back, (m, 0), number, corner)


@dataclass(frozen=True)
class Transform(Kernel):
    """V of all tiles, for ``Product``. Unit: one vector of channels."""

    family: ClassVar[str] = "winograd in"
    scheme: Scheme

    @property
    def operands(self) -> tuple[Operand, ...]:
        return (
            Operand("source", self.scheme.source.size),
            Operand("transformed", self.scheme.positions * self.scheme.v_step),
        )

    @property
    def units(self) -> int:
        return self.scheme.source.blocks

    def body(self, work: Work) -> None:
        forth = self.scheme.transforms(work, f"{self.symbol}_in")
        self.scheme.transform_tiles(work, forth, work.buffer("transformed"), work.unit, 0)


@dataclass(frozen=True)
class Product(Kernel):
    """Outputs from V. Unit: one round of output channels, for all images, ``images`` of them at a time."""

    family: ClassVar[str] = "winograd"
    scheme: Scheme
    images: int

    @property
    def operands(self) -> tuple[Operand, ...]:
        return self.scheme.operands(Operand("transformed", self.scheme.positions * self.scheme.v_step))

    @property
    def units(self) -> int:
        return self.scheme.rounds

    @property
    def whole_batch(self) -> bool:
        return True

    @property
    def scratch(self) -> int:
        fresh = 2 * self.scheme.n * self.scheme.held if self.scheme.fresh else 0
        return self.images * self._each + fresh

    @property
    def _each(self) -> int:
        return self.scheme.positions * self.scheme.m_step

    @property
    def multiply_adds(self) -> int:
        return self.scheme.multiply_adds

    def describe(self) -> str:
        return self.scheme.describe()

    def body(self, work: Work) -> None:
        to, scheme = work.to, self.scheme
        back = scheme.backs(work, f"{self.symbol}_out")
        m = to.part(work.scratch, 0, self.images * self._each)
        with work.some_images(self.images):
            if scheme.fresh:
                self._fresh(work, m)
            else:
                each = scheme.round * scheme.weights
                for product, position, *at, m_at in scheme.every_position(work, f"{self.symbol}_mul"):
                    place = to.plus(to.times(work.unit, scheme.positions), position)
                    own = to.plus(to.times(place, each), at[1])
                    self._images(work, product, position, at[0], (work.buffer("weights"), own), (m, m_at))
            with work.each_of_these() as place:
                sums = m, to.times(place, self._each)
                scheme.finish_tiles(work, back, sums, work.unit, lambda t, kind: scheme.corner(to, t, kind))

    def _images(
        self,
        work: Work,
        product: Emitter,
        position: Number,
        v_at: Number,
        u: tuple[Memory, Number],
        m: tuple[Memory, int],
    ) -> None:
        """All images at hand use the same weights, while these are near."""
        with work.each_of_these() as place:
            m_at = work.to.plus(work.to.times(place, self._each), m[1])
            v = work.buffer("transformed")
            self.scheme.multiply(work, product, position, (v, v_at), u, (m[0], m_at))

    def _fresh(self, work: Work, m: Memory) -> None:
        """Some input channels at a time: two rows of their weights transformed, their part of M added.

        So few transformed weights are at hand that they stay in the first cache.
        """
        to, scheme = work.to, self.scheme
        lanes, taps = scheme.source.lanes, 9 * scheme.tile[1] * scheme.target.lanes
        u = to.part(work.scratch, self.images * self._each, 2 * scheme.n * scheme.held)
        weights, channels = work.buffer("weights"), scheme.fresh * lanes
        products = scheme.products(work, f"{self.symbol}_mul")
        inner = {
            rows: scheme.transform_weights(work, f"{self.symbol}_w{rows[0]}", rows) for rows in scheme.rows
        }
        with work.each_of_these() as place, to.loop(self._each // to.lanes) as i:
            to.put(to.constant(0), m, to.plus(to.times(place, self._each), to.times(i, to.lanes)))
        with to.loop(scheme.source.blocks // scheme.fresh) as some:
            first = to.plus(to.times(work.unit, scheme.source.blocks * lanes), to.times(some, channels))
            v_at = to.times(some, scheme.fresh * scheme.tile[0] * lanes)
            for rows, code in inner.items():
                to.run(code, (weights, to.times(first, taps)), (u, 0))
                for place, y in enumerate(rows):
                    for region in scheme.regions:
                        if not region.first[0] <= y < region.first[0] + region.rows:
                            continue
                        with to.loop(region.columns) as column:
                            x = to.plus(column, region.first[1])
                            position = to.plus(x, y * scheme.n)
                            self._ask(work, weights, to.times(to.plus(first, channels), taps), position)
                            own = to.times(to.plus(x, place * scheme.n), scheme.held)
                            code, m_at = products[region.turns, 1], region.tile * to.lanes
                            self._images(work, code, position, v_at, (u, own), (m, m_at))

    def _ask(self, work: Work, weights: Memory, following: Number, position: Number) -> None:
        """For the next channels' weights, a part of them at every position, so that they come evenly."""
        to, scheme = work.to, self.scheme
        size = scheme.fresh * scheme.source.lanes * 9 * scheme.tile[1] * scheme.target.lanes
        lines = -(-size // (LINE * scheme.positions))
        start = to.moved(weights, to.plus(following, to.times(position, lines * LINE)))
        for line in range(lines):
            to.prefetch(start, line * LINE)
