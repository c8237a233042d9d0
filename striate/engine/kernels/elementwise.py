"""Value by value: joins of two maps, factors and offsets of channels, activations that nobody absorbed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate import ops
from striate.engine.emit import Emitter, Vector
from striate.engine.kernels.activation import activate
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.pixel import pixel_at, store
from striate.engine.layout import Layout

JOINS = (ops.Add, ops.Subtract, ops.Multiply, ops.Divide, ops.Maximum, ops.Minimum)


@dataclass(frozen=True)
class Elementwise(Kernel):
    """``op`` of ``sources``; a source of one pixel holds for the whole map."""

    family: ClassVar[str] = "elementwise"
    op: ops.Op
    sources: tuple[Layout, ...]
    target: Layout
    finish: Finish

    @property
    def operands(self) -> tuple[Operand, ...]:
        channels = self.target.blocks * self.target.lanes
        return (
            *(Operand(f"source{i}", layout.size) for i, layout in enumerate(self.sources)),
            *(Operand(role, channels, shared=True) for role in self.op.roles),
            Operand("target", self.target.size),
            *self.finish.operands,
        )

    @property
    def units(self) -> int:
        return self.target.blocks * self.target.height

    def describe(self) -> str:
        return f"{type(self.op).__name__.lower()}{self.finish.describe()}"

    def body(self, work: Work) -> None:
        """One row of one block of channels."""
        to, target = work.to, self.target
        block, y = to.divide(work.unit, target.height)
        channels = to.times(block, to.lanes)
        tensors = {role: to.get(work.buffer(role), channels) for role in self.op.roles}
        buffers = [work.buffer(f"source{i}") for i in range(len(self.sources))]
        with to.loop(target.width) as x:
            values = [
                to.get(buffer, pixel_at(to, layout, block, y, x))
                for buffer, layout in zip(buffers, self.sources, strict=True)
            ]
            store(work, self.finish, _compute(to, self.op, values, tensors), target, block, y, x)


def _compute(to: Emitter, op: ops.Op, values: list[Vector], tensors: dict[str, Vector]) -> Vector:
    match op, values:
        case ops.Add(), [a, b]:
            return to.fadd(a, b)
        case ops.Subtract(), [a, b]:
            return to.fsub(a, b)
        case ops.Multiply(), [a, b]:
            return to.fmul(a, b)
        case ops.Divide(), [a, b]:
            return to.fdiv(a, b)
        case ops.Maximum(), [a, b]:
            return to.intrinsic("llvm.maximum", a, b)
        case ops.Minimum(), [a, b]:
            return to.intrinsic("llvm.minimum", a, b)
        case ops.Scale(), [x]:
            if "bias" in tensors:
                return to.multiply_add(x, tensors["weight"], tensors["bias"])
            return to.fmul(x, tensors["weight"])
        case ops.PReLU(), [x]:
            negative = to.fcmp_ordered("<", x, to.constant(0))
            return to.select(negative, to.fmul(x, tensors["weight"]), x)
    return activate(to, op, values[0])
