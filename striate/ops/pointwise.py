"""What acts on each value alone, and values that come from nowhere: dropout, scale, constants, functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate.ops.word import Op, flag, integer, real, require, word


@word
@dataclass(frozen=True)
class Identity(Op):
    """The input, unchanged."""


@word
@dataclass(frozen=True)
class Dropout(Op):
    """Zeroes values (or, ``channels=True``, whole feature maps) while training; the identity in use.

    Srivastava et al. 2014; feature maps: Tompson et al. 2015, arXiv 1411.4280.
    """

    p: float = 0.5
    channels: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "p", real("p", self.p, lambda number: 0 <= number <= 1, "between 0 and 1"))
        flag("channels", self.channels)


@word
@dataclass(frozen=True)
class Constant(Op):
    """A tensor that is the same for every input; ``shape`` may be () for a single number."""

    arity: ClassVar[int | None] = 0
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(integer("shape", size, 0) for size in self.shape))

    @property
    def roles(self) -> tuple[str, ...]:
        return ("value",)


@word
@dataclass(frozen=True)
class Scale(Op):
    """y = weight[c] * x + bias[c], c the index on axis ``dim``: LeNet-5's subsampling, layer scale."""

    num_channels: int
    bias: bool = True
    dim: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_channels", integer("num_channels", self.num_channels))
        object.__setattr__(self, "dim", integer("dim", self.dim, -1))
        flag("bias", self.bias)

    @property
    def roles(self) -> tuple[str, ...]:
        return ("weight", "bias") if self.bias else ("weight",)


@word
@dataclass(frozen=True)
class FakeQuantize(Op):
    """y = (clamp(round(x / scale) + zero_point, quant_min, quant_max) - zero_point) * scale, still a float.

    What a quantised network computes, without integers: torch.fake_quantize_per_tensor_affine, and per
    channel (axis ``dim``) where ``num_channels`` is over 1. Halves are rounded to the even integer. Jacob
    et al. 2017, arXiv 1712.05877, section 3.
    """

    quant_min: int = -128
    quant_max: int = 127
    num_channels: int = 1
    dim: int = 1

    def __post_init__(self) -> None:
        for argument in ("quant_min", "quant_max"):
            object.__setattr__(self, argument, integer(argument, getattr(self, argument), -(2**31)))
        rule, remedy = f"be below quant_max={self.quant_max}", "swap the two"
        require(self.quant_min < self.quant_max, "quant_min", rule, self.quant_min, remedy)
        object.__setattr__(self, "num_channels", integer("num_channels", self.num_channels))
        object.__setattr__(self, "dim", integer("dim", self.dim, -8))

    @property
    def roles(self) -> tuple[str, ...]:
        return ("scale", "zero_point")


@word
@dataclass(frozen=True)
class Negate(Op):
    """-x."""


@word
@dataclass(frozen=True)
class Absolute(Op):
    """|x|."""


@word
@dataclass(frozen=True)
class SquareRoot(Op):
    """The square root; of a negative number: not a number."""


@word
@dataclass(frozen=True)
class Exponential(Op):
    """e^x."""


@word
@dataclass(frozen=True)
class Logarithm(Op):
    """The natural logarithm."""
