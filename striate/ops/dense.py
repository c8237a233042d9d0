"""Layers in which every output sees every input: linear maps and radial basis functions."""

from __future__ import annotations

from dataclasses import dataclass

from striate.ops.word import Op, flag, integer, word


@word
@dataclass(frozen=True)
class Linear(Op):
    """y = x W^T + b over the last axis. Weight (out_features, in_features), bias (out_features,)."""

    in_features: int
    out_features: int
    bias: bool = True

    def __post_init__(self) -> None:
        for argument in ("in_features", "out_features"):
            object.__setattr__(self, argument, integer(argument, getattr(self, argument)))
        flag("bias", self.bias)

    @property
    def roles(self) -> tuple[str, ...]:
        return ("weight", "bias") if self.bias else ("weight",)


@word
@dataclass(frozen=True)
class RBF(Op):
    """y[k] = sum over i of (x[i] - w[k, i])^2: squared distances to fixed or learned centres.

    The output layer of LeNet-5 (LeCun et al. 1998, section III), whose centres are 7x12 pictures of the
    characters. Weight (out_features, in_features); the smallest output wins.
    """

    in_features: int
    out_features: int

    def __post_init__(self) -> None:
        for argument in ("in_features", "out_features"):
            object.__setattr__(self, argument, integer(argument, getattr(self, argument)))

    @property
    def roles(self) -> tuple[str, ...]:
        return ("weight",)
