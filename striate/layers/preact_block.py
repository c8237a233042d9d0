"""The two residual blocks whose norms and activations stand before the convolutions.

He et al. 2016, "Identity mappings in deep residual networks", arXiv 1603.05027, figure 1b: nothing is left on
the way around, so that the image reaches every depth unchanged. Names of the parts as in timm's resnetv2.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from striate.layers.residual_block import Block


def widening(in_channels: int, out_channels: int, stride: int) -> nn.Module | None:
    """A bare 1x1 convolution where sizes differ: its input has been normalised already."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)))


class PreActBasic(Block):
    """Two 3x3 convolutions: (N, in_channels, H, W) to (N, width, H/stride, W/stride)."""

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.out_channels = width
        self.relu = nn.ReLU()
        self.downsample = widening(in_channels, width, stride)
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        active = self.relu(self.norm1(x))
        around: Tensor = x if self.downsample is None else self.downsample(active)
        inner: Tensor = self.conv2(self.relu(self.norm2(self.conv1(active))))
        return inner + around


class PreActBottleneck(Block):
    """1x1, 3x3, 1x1: (N, in_channels, H, W) to (N, 4 width, H/stride, W/stride).

    The authors' code (KaimingHe/resnet-1k-layers) has the stride in the first convolution
    (``stride_first``), timm in the second.
    """

    def __init__(self, in_channels: int, width: int, stride: int = 1, *, stride_first: bool = False) -> None:
        super().__init__()
        self.out_channels = 4 * width
        self.relu = nn.ReLU()
        first, second = (stride, 1) if stride_first else (1, stride)
        self.downsample = widening(in_channels, self.out_channels, stride)
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, width, 1, first, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, second, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, self.out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        active = self.relu(self.norm1(x))
        around: Tensor = x if self.downsample is None else self.downsample(active)
        inner = self.conv2(self.relu(self.norm2(self.conv1(active))))
        raised: Tensor = self.conv3(self.relu(self.norm3(inner)))
        return raised + around
