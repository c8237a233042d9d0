"""The activations of the field, one value in, one value out; softmax alone looks at a whole axis."""

from __future__ import annotations

from dataclasses import dataclass

from striate.ops.word import Op, choice, integer, real, require, word


@dataclass(frozen=True)
class Activation(Op):
    """Base of all activations."""


@word
@dataclass(frozen=True)
class Sigmoid(Activation):
    """1 / (1 + e^-x), in (0, 1)."""


@word
@dataclass(frozen=True)
class Tanh(Activation):
    """(e^x - e^-x) / (e^x + e^-x), in (-1, 1), zero-centred."""


@word
@dataclass(frozen=True)
class ReLU(Activation):
    """max(0, x). Nair and Hinton 2010."""


@word
@dataclass(frozen=True)
class ReLU6(Activation):
    """min(max(0, x), 6). Krizhevsky 2010, MobileNet."""


@word
@dataclass(frozen=True)
class Clamp(Activation):
    """min(max(x, min_val), max_val): torch.clamp and torch.nn.Hardtanh. None leaves a side open."""

    min_val: float | None = None
    max_val: float | None = None

    def __post_init__(self) -> None:
        low, high = self.min_val, self.max_val
        require(low is not None or high is not None, "min_val", "be given, or max_val", low, "give one bound")
        for argument, value in (("min_val", low), ("max_val", high)):
            if value is not None:
                object.__setattr__(self, argument, real(argument, value, lambda _: True, "finite"))
        if low is not None and high is not None:
            require(low <= high, "min_val", f"be at most max_val={high}", low, "swap the two")


@word
@dataclass(frozen=True)
class LeakyReLU(Activation):
    """x where x >= 0, negative_slope * x elsewhere. Maas et al. 2013."""

    negative_slope: float = 0.01

    def __post_init__(self) -> None:
        slope = real("negative_slope", self.negative_slope, lambda _: True, "finite")
        object.__setattr__(self, "negative_slope", slope)


@word
@dataclass(frozen=True)
class PReLU(Activation):
    """LeakyReLU with a learned slope, for all or for each channel. He et al. 2015, arXiv 1502.01852."""

    num_parameters: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_parameters", integer("num_parameters", self.num_parameters))

    @property
    def roles(self) -> tuple[str, ...]:
        return ("weight",)


@word
@dataclass(frozen=True)
class ELU(Activation):
    """x where x > 0, alpha * (e^x - 1) elsewhere; tends to -alpha. Clevert et al. 2015, arXiv 1511.07289."""

    alpha: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", real("alpha", self.alpha, lambda _: True, "finite"))


@word
@dataclass(frozen=True)
class SELU(Activation):
    """ELU with the two constants that keep mean 0 and variance 1. Klambauer et al. 2017, arXiv 1706.02515."""


@word
@dataclass(frozen=True)
class GELU(Activation):
    """x * P(X <= x) for a standard normal X. Hendrycks and Gimpel 2016, arXiv 1606.08415.

    ``approximate``: "none" (exact, by erf), "tanh": 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))),
    or "sigmoid": x * sigmoid(1.702 x), which torch does not have.
    """

    approximate: str = "none"

    def __post_init__(self) -> None:
        choice("approximate", self.approximate, ("none", "tanh", "sigmoid"))


@word
@dataclass(frozen=True)
class SiLU(Activation):
    """x * sigmoid(x). Elfwing et al. 2017, arXiv 1702.03118; swish with beta 1."""


@word
@dataclass(frozen=True)
class HardSigmoid(Activation):
    """min(max(x + 3, 0), 6) / 6. MobileNetV3, Howard et al. 2019, arXiv 1905.02244."""


@word
@dataclass(frozen=True)
class HardSwish(Activation):
    """x * hardsigmoid(x). MobileNetV3, arXiv 1905.02244."""


@word
@dataclass(frozen=True)
class Softmax(Activation):
    """e^x / sum of e^x along axis ``dim``."""

    dim: int = -1

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", integer("dim", self.dim, -8))


@word
@dataclass(frozen=True)
class LogSoftmax(Activation):
    """log of softmax along axis ``dim``."""

    dim: int = -1

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", integer("dim", self.dim, -8))
