"""A chain of layers with a shortcut around it (He et al. 2015, arXiv 1512.03385)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from striate.layers.stochastic_depth import StochasticDepth


class Residual(nn.Sequential):
    """x + parts(x) where ``skip`` says so, else parts(x) alone; nothing is activated after the sum.

    ``drop`` is the probability, in training, that the chain contributes nothing to an image.
    """

    def __init__(self, parts: Mapping[str, nn.Module], *, skip: bool, drop: float = 0.0) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.skip = skip
        if skip and drop > 0:
            self.add_module("stochastic_depth", StochasticDepth(drop))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return x + result if self.skip else result
