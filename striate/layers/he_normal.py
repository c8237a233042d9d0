"""How networks of rectified linear units begin: He et al. 2015, "Delving deep into rectifiers"."""

from __future__ import annotations

from math import prod, sqrt
from typing import Literal

from torch import nn


def he_normal_(
    module: nn.Module, mode: Literal["fan_in", "fan_out"] = "fan_out", *, grouped: bool = False
) -> None:
    """Draw each convolution in ``module`` from a normal distribution of variance 2 / n; biases become 0.

    arXiv 1502.01852, equations 10 and 14.

    Either side of the layer may be counted: with ``fan_in``, n is the number of inputs of a unit, which keeps
    the variance of the activity on the way up; with ``fan_out``, the number of units an input reaches, which
    keeps that of the gradient on the way down. torch and torchvision count those over all groups and start
    depthwise convolutions small; ``grouped`` counts those of one group, as TensorFlow's mobile networks and
    timm do. Batch norms start at 1 and 0 anyway.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            reached = layer.out_channels // (layer.groups if grouped else 1)
            maps = reached if mode == "fan_out" else layer.in_channels // layer.groups
            nn.init.normal_(layer.weight, std=sqrt(2 / (maps * prod(layer.kernel_size))))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
