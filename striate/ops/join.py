"""Where branches meet: arithmetic of tensors with NumPy's broadcasting, and concatenation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate.ops.word import Op, integer, word


@dataclass(frozen=True)
class Elementwise(Op):
    """Base of the joins of two tensors, value by value; sizes of 1 are repeated (broadcasting)."""

    arity: ClassVar[int | None] = 2


@word
@dataclass(frozen=True)
class Add(Elementwise):
    """x + y: the residual connection of He et al. 2015, arXiv 1512.03385."""


@word
@dataclass(frozen=True)
class Subtract(Elementwise):
    """x - y."""


@word
@dataclass(frozen=True)
class Multiply(Elementwise):
    """x * y: the gate of squeeze-and-excitation, Hu et al. 2017, arXiv 1709.01507."""


@word
@dataclass(frozen=True)
class Divide(Elementwise):
    """x / y."""


@word
@dataclass(frozen=True)
class Power(Elementwise):
    """x ** y."""


@word
@dataclass(frozen=True)
class Maximum(Elementwise):
    """The larger of x and y (maxout, Goodfellow et al. 2013, arXiv 1302.4389)."""


@word
@dataclass(frozen=True)
class Minimum(Elementwise):
    """The smaller of x and y."""


@word
@dataclass(frozen=True)
class Concat(Op):
    """Inputs one after the other along axis ``dim``; all other sizes are equal."""

    arity: ClassVar[int | None] = None
    dim: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", integer("dim", self.dim, -8))
