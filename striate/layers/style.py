"""What all blocks of one network have in common: how they convolve, normalise and activate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from striate.layers.same_conv import SameConv2d


def convolution(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    """No bias, and an odd window that is centred: padded by (kernel_size - 1) / 2 on every side."""
    padding = (kernel_size - 1) // 2
    return nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)


def same_convolution(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    """A convolution without bias that pads as TensorFlow does."""
    return SameConv2d(in_channels, out_channels, kernel_size, stride, groups)


@dataclass(frozen=True)
class Style:
    """Handed down from a network to its blocks, so that each block takes one argument instead of three."""

    norm: Callable[[int], nn.Module] = nn.BatchNorm2d
    """From a number of channels; the batch norm's epsilon and momentum are set here."""
    activation: Callable[[], nn.Module] = nn.ReLU
    convolution: Callable[..., nn.Conv2d] = convolution
    """``convolution`` or ``same_convolution``: (in_channels, out_channels, kernel_size, stride, groups)."""
