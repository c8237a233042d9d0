"""Squeeze and excitation: each map is scaled by a gate that sees the mean of every map."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn


class SqueezeExcite(nn.Sequential):
    """x times gate(expand(activation(reduce(mean of x)))): (N, channels, H, W) to the same.

    Hu et al. 2017, arXiv 1709.01507, section 3, with 1x1 convolutions for its linear layers. ``names`` are
    those of the two convolutions in a state dict: ("fc1", "fc2") in torchvision and in timm's SE-ResNets,
    ("conv_reduce", "conv_expand") in timm's mobile networks.
    """

    def __init__(
        self,
        channels: int,
        squeezed: int,
        activation: Callable[[], nn.Module] = nn.ReLU,
        gate: Callable[[], nn.Module] = nn.Sigmoid,
        names: tuple[str, str] = ("fc1", "fc2"),
    ) -> None:
        reduce, expand = names
        parts: OrderedDict[str, nn.Module] = OrderedDict(avgpool=nn.AdaptiveAvgPool2d(1))
        parts[reduce] = nn.Conv2d(channels, squeezed, 1)
        parts["activation"] = activation()
        parts[expand] = nn.Conv2d(squeezed, channels, 1)
        parts["gate"] = gate()
        super().__init__(parts)

    def forward(self, x: Tensor) -> Tensor:
        scale: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return x * scale
