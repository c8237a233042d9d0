"""The most a core can do: multiply-adds on registers alone. Every kernel's speed is told as a share of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate.engine.kernels.kernel import Kernel, Operand, Work


@dataclass(frozen=True)
class Peak(Kernel):
    """``sums`` independent sums, so that none waits for itself; ``turns`` times each."""

    family: ClassVar[str] = "peak"
    lanes: int
    sums: int
    turns: int = 100_000

    @property
    def operands(self) -> tuple[Operand, ...]:
        return (Operand("values", (2 + self.sums) * self.lanes),)

    @property
    def units(self) -> int:
        return 1

    @property
    def multiply_adds(self) -> int:
        return self.sums * self.turns * self.lanes

    def body(self, work: Work) -> None:
        to = work.to
        values = work.buffer("values")
        a, b = to.get(values, 0), to.get(values, self.lanes)
        sums = [to.variable(to.constant(i)) for i in range(self.sums)]
        with to.loop(self.turns):
            for variable in sums:
                to.store(to.multiply_add(a, b, to.read(variable)), variable)
        for i, variable in enumerate(sums):
            to.put(to.read(variable), values, (2 + i) * self.lanes)
