"""How networks of rectified linear units begin: He et al. 2015, "Delving deep into rectifiers"."""

from __future__ import annotations

from typing import Literal

from torch import nn


def he_normal_(module: nn.Module, mode: Literal["fan_in", "fan_out"] = "fan_out") -> None:
    """Draw each convolution in ``module`` from a normal distribution of variance 2 / n; biases become 0.

    arXiv 1502.01852, equations 10 and 14.

    Either side of the layer may be counted: with ``fan_in``, n is the number of inputs of a unit, which keeps
    the variance of the activity on the way up; with ``fan_out``, the number of units an input reaches (over
    all groups, as torch counts them), which keeps that of the gradient on the way down. Batch norms start at
    1 and 0 anyway.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode=mode, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
