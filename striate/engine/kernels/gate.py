"""A gate (arXiv 1709.01507): each channel of a map is multiplied by a value before a 1x1 convolution.

Either the map is multiplied where a kernel copies its pixels, or, where there are more pixels than outputs,
the weights are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from striate.engine.emit import Vector
from striate.engine.index import Number
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.panels import Panels
from striate.engine.layout import Layout


def gate_operands(gate: Layout | None) -> tuple[Operand, ...]:
    return (Operand("gate", gate.size),) if gate else ()


def gate_of(work: Work, gate: Layout | None, block: Number) -> Vector | None:
    """The factors of a block of channels; None: there is no gate."""
    to = work.to
    return to.get(work.buffer("gate"), to.plus(gate.start, to.times(block, gate.block))) if gate else None


def gated(gate: Layout | None) -> str:
    return " * gate" if gate else ""


@dataclass(frozen=True)
class GatedWeights(Kernel):
    """The weights of ``panels`` for one image: each row of them times its channel's gate. Unit: a group."""

    family: ClassVar[str] = "gated weights"
    gate: Layout
    panels: Panels

    @property
    def operands(self) -> tuple[Operand, ...]:
        size = self.panels.weights
        return (*gate_operands(self.gate), Operand("weights", size, shared=True), Operand("target", size))

    @property
    def units(self) -> int:
        return self.panels.groups

    def body(self, work: Work) -> None:
        self.panels.in_group(work.to, work.unit, partial(self._group, work))

    def _group(self, work: Work, group: Number, vectors: int) -> None:
        to, gate, width = work.to, self.gate, vectors * work.to.lanes
        first = to.times(group, self.panels.group)
        with to.loop(self.panels.deep // to.lanes) as block:
            for lane in range(to.lanes):
                at = to.plus(gate.start, to.times(block, gate.block), lane)
                factor = to.spread(work.buffer("gate"), at)
                row = to.plus(first, to.times(block, to.lanes * width), lane * width)
                for q in range(vectors):
                    place = to.plus(row, q * to.lanes)
                    value = to.fmul(to.get(work.buffer("weights"), place), factor)
                    to.put(value, work.buffer("target"), place)
