"""What happens to a result before it is stored: the residual is added, activations are applied.

A value that is still in a register costs nothing to change; the same step later costs a trip to memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from striate import ops
from striate.engine.compiled import Operand
from striate.engine.emit import Emitter, Vector
from striate.engine.kernels.activation import activate
from striate.engine.layout import Layout


@dataclass(frozen=True)
class Finish:
    """``words``, in order: activations, and at most one Add, of a map of layout ``added``."""

    words: tuple[ops.Op, ...] = ()
    added: Layout | None = None

    @property
    def operands(self) -> tuple[Operand, ...]:
        """What a kernel must have at hand for it, beside the words."""
        return (Operand("added", self.added.size),) if self.added else ()

    def apply(self, to: Emitter, value: Vector, other: Vector | None = None) -> Vector:
        for word in self.words:
            value = to.fadd(value, other) if isinstance(word, ops.Add) else activate(to, word, value)
        return value

    def describe(self) -> str:
        return "".join(f" + {type(word).__name__.lower()}" for word in self.words)
