"""Normalisations, as they act when a network is used (evaluation mode)."""

from __future__ import annotations

from dataclasses import dataclass

from striate.ops.word import Op, flag, integer, real, word


def _positive(argument: str, value: object) -> float:
    return real(argument, value, lambda number: number > 0, "over 0")


@word
@dataclass(frozen=True)
class BatchNorm(Op):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, per channel (axis 1), over any number of axes.

    Mean and variance are the running ones. Ioffe and Szegedy 2015, arXiv 1502.03167.
    """

    num_features: int
    eps: float = 1e-5
    affine: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_features", integer("num_features", self.num_features))
        object.__setattr__(self, "eps", _positive("eps", self.eps))
        flag("affine", self.affine)

    @property
    def roles(self) -> tuple[str, ...]:
        return (*(("weight", "bias") if self.affine else ()), "running_mean", "running_var")


@word
@dataclass(frozen=True)
class LocalResponseNorm(Op):
    """y = x / (k + alpha / size * sum of x^2 over ``size`` neighbouring channels)^beta, as torch defines it.

    Krizhevsky et al. 2012, section 3.3, whose alpha is not divided by the size.
    """

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", integer("size", self.size))
        for argument in ("alpha", "beta", "k"):
            value = real(argument, getattr(self, argument), lambda number: number >= 0, "0 or more")
            object.__setattr__(self, argument, value)


@word
@dataclass(frozen=True)
class LayerNorm(Op):
    """Normalises the channels (axis ``dim``) at every position. Ba et al. 2016, arXiv 1607.06450.

    ``dim`` is 1 for images (N, C, H, W) and -1 where channels come last, as ConvNeXt uses both.
    """

    num_channels: int
    eps: float = 1e-5
    affine: bool = True
    bias: bool = True
    dim: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_channels", integer("num_channels", self.num_channels))
        object.__setattr__(self, "eps", _positive("eps", self.eps))
        object.__setattr__(self, "dim", integer("dim", self.dim, -1))
        flag("affine", self.affine)
        flag("bias", self.bias)

    @property
    def roles(self) -> tuple[str, ...]:
        return () if not self.affine else ("weight", "bias") if self.bias else ("weight",)


@word
@dataclass(frozen=True)
class GlobalResponseNorm(Op):
    """y = weight * x * n + bias + x with n = |x|_2 over space, divided by its mean over channels (+ eps).

    ConvNeXt V2, Woo et al. 2023, arXiv 2301.00808, equation 1 to 3. ``dim`` is the channel axis, 1 or -1.
    """

    num_channels: int
    eps: float = 1e-6
    dim: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_channels", integer("num_channels", self.num_channels))
        object.__setattr__(self, "eps", _positive("eps", self.eps))
        object.__setattr__(self, "dim", integer("dim", self.dim, -1))

    @property
    def roles(self) -> tuple[str, ...]:
        return ("weight", "bias")
