"""The two residual blocks of He et al. 2015, arXiv 1512.03385, figure 5, and rows of them."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from striate.layers.shortcut import PaddedShortcut, Projection, shortcut


class Block(nn.Module):
    """A part of a stage, which says how many channels it gives."""

    out_channels: int


class ResidualBlock(Block):
    """relu(shortcut(x) + residual(x)): what a kind of block must say is ``residual``."""

    downsample: nn.Module | None
    relu: nn.Module

    def residual(self, x: Tensor) -> Tensor:
        """What is added to the shortcut."""
        return x

    def forward(self, x: Tensor) -> Tensor:
        around = x if self.downsample is None else self.downsample(x)
        answer: Tensor = self.relu(self.residual(x) + around)
        return answer


class BasicBlock(ResidualBlock):
    """Two 3x3 convolutions: (N, in_channels, H, W) to (N, width, H/stride, W/stride)."""

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        *,
        around: type[Projection | PaddedShortcut] = Projection,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = shortcut(around, in_channels, width, stride)
        self.out_channels = width

    def residual(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        answer: Tensor = self.bn2(self.conv2(x))
        return answer


class Bottleneck(ResidualBlock):
    """1x1, 3x3, 1x1: (N, in_channels, H, W) to (N, 4 width, H/stride, W/stride).

    The 3x3 convolution has ``groups`` groups and as many channels as make ``width_per_group`` of them in
    each group at ``width`` 64 (ResNeXt, arXiv 1611.05431; Wide ResNet with a single group of 128). The
    paper has the stride in the first 1x1 convolution (``stride_first``); the form of today, called v1.5, has
    it in the 3x3, which sees all pixels and costs more (Gross and Wilber 2016, fb.resnet.torch).
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        *,
        groups: int = 1,
        width_per_group: int = 64,
        stride_first: bool = False,
    ) -> None:
        super().__init__()
        inner = width * width_per_group // 64 * groups
        self.out_channels = 4 * width
        self.conv1 = nn.Conv2d(in_channels, inner, 1, stride if stride_first else 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, 1 if stride_first else stride, 1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, self.out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(self.out_channels)
        self.relu = nn.ReLU()
        self.downsample = shortcut(Projection, in_channels, self.out_channels, stride)

    def residual(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        answer: Tensor = self.bn3(self.conv3(x))
        return answer


class BlockOf(Protocol):
    """Builds one block: ``BasicBlock``, or ``partial(Bottleneck, groups=32)``."""

    def __call__(self, in_channels: int, width: int, stride: int, /) -> Block: ...


class Stage(nn.Sequential):
    """``count`` blocks of one width; the first has the stride and takes another number of channels."""

    def __init__(self, block: BlockOf, in_channels: int, width: int, count: int, stride: int) -> None:
        first = block(in_channels, width, stride)
        super().__init__(first, *(block(first.out_channels, width, 1) for _ in range(count - 1)))
        self.out_channels = first.out_channels
