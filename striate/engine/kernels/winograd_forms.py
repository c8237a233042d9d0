"""The kernels that carry out Winograd's scheme.

Two forms. ``Tiles``: a thread carries some tiles from input to output, so that V and M stay in its cache.
``Transform`` and ``Product``: for few tiles and many channels, V is made first by all threads, and then each
thread takes some of the output channels, so that no transformed weight is read twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate.engine.kernels.kernel import Kernel, Operand, Work
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
    def scratch(self) -> int:
        return self.scheme.n**2 * (self.scheme.v_step + self.scheme.m_step)

    @property
    def multiply_adds(self) -> int:
        return self.scheme.multiply_adds

    def describe(self) -> str:
        return self.scheme.describe()

    def body(self, work: Work) -> None:
        to, scheme = work.to, self.scheme
        forth = scheme.transform(work, f"{self.symbol}_in")
        product = scheme.product(work, f"{self.symbol}_mul")
        back = scheme.back(work, f"{self.symbol}_out")
        size = scheme.n**2 * scheme.v_step
        v = to.part(work.scratch, 0, size)
        m = to.part(work.scratch, size, scheme.n**2 * scheme.m_step)
        first = to.least(to.times(work.unit, scheme.together), scheme.tiles - scheme.together)
        with to.loop(scheme.source.blocks) as block, to.loop(scheme.together) as t:
            at = scheme.source_at(to, block, to.plus(first, t))
            place = to.plus(to.times(block, scheme.together * to.lanes), to.times(t, to.lanes))
            to.run(forth, (work.buffer("source"), at), (v, place))
        with to.loop(scheme.groups) as group:
            scheme.multiply(work, product, v, m, group)
            scheme.finish_tiles(work, back, m, group, first)


@dataclass(frozen=True)
class Transform(Kernel):
    """V of all tiles, for ``Product``. Unit: one vector of channels."""

    family: ClassVar[str] = "winograd in"
    scheme: Scheme

    @property
    def operands(self) -> tuple[Operand, ...]:
        return (
            Operand("source", self.scheme.source.size),
            Operand("transformed", self.scheme.n**2 * self.scheme.v_step),
        )

    @property
    def units(self) -> int:
        return self.scheme.source.blocks

    def body(self, work: Work) -> None:
        to, scheme = work.to, self.scheme
        forth = scheme.transform(work, f"{self.symbol}_in")
        with to.loop(scheme.together) as t:
            at = scheme.source_at(to, work.unit, t)
            place = to.plus(to.times(work.unit, scheme.together * to.lanes), to.times(t, to.lanes))
            to.run(forth, (work.buffer("source"), at), (work.buffer("transformed"), place))


@dataclass(frozen=True)
class Product(Kernel):
    """Outputs from V. Unit: one group of output channels."""

    family: ClassVar[str] = "winograd"
    scheme: Scheme

    @property
    def operands(self) -> tuple[Operand, ...]:
        return self.scheme.operands(Operand("transformed", self.scheme.n**2 * self.scheme.v_step))

    @property
    def units(self) -> int:
        return self.scheme.groups

    @property
    def scratch(self) -> int:
        return self.scheme.n**2 * self.scheme.m_step

    @property
    def multiply_adds(self) -> int:
        return self.scheme.multiply_adds

    def describe(self) -> str:
        return self.scheme.describe()

    def body(self, work: Work) -> None:
        scheme = self.scheme
        product, back = scheme.product(work, f"{self.symbol}_mul"), scheme.back(work, f"{self.symbol}_out")
        scheme.multiply(work, product, work.buffer("transformed"), work.scratch, work.unit)
        scheme.finish_tiles(work, back, work.scratch, work.unit, 0)
