"""Starting weights that keep the size of gradients on their way back (He et al. 2015, arXiv 1502.01852)."""

from __future__ import annotations

import math

from torch import nn


def start_by_fan_out(network: nn.Module, *, grouped: bool) -> None:
    """Draw every convolution of ``network`` from a normal distribution of variance 2 / fan_out; biases 0.

    fan_out is kernel area times output channels. ``grouped`` divides it by the convolution's groups, as
    TensorFlow's mobile networks and timm do; torchvision does not, and starts depthwise convolutions smaller.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            fan_out = layer.out_channels * math.prod(layer.kernel_size)
            nn.init.normal_(layer.weight, 0, math.sqrt(2 / (fan_out // layer.groups if grouped else fan_out)))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
