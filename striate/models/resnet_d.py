"""ResNet-D: Tong He et al., "Bag of tricks for image classification", 2018, arXiv 1812.01187.

ResNet-50 with the tweaks of section 4, figure 2: three 3x3 convolutions in place of the 7x7, and shortcuts
that average before they project, so that no value of the input is thrown away. ``resnet50d`` means timm's
network and carries its tensor names.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from striate.layers import Bottleneck
from striate.models.card import Card
from striate.models.registry import register
from striate.models.resnet import ResNet, deep


class AveragedProjection(nn.Sequential):
    """A mean over 2x2 where the block halves the map, a 1x1 convolution, a batch norm."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(
            nn.AvgPool2d(2, stride, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity(),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )


class BottleneckD(Bottleneck):
    """A bottleneck whose shortcut averages: (N, in_channels, H, W) to (N, 4 width, H/stride, W/stride)."""

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__(in_channels, width, stride)
        if self.downsample is not None:
            self.downsample = AveragedProjection(in_channels, self.out_channels, stride)


@register(
    Card(
        name="resnet50d",
        title="ResNet-50-D",
        year=2018,
        authors="Tong He, Zhi Zhang, Hang Zhang, Zhongyue Zhang, Junyuan Xie, Mu Li",
        paper="Bag of tricks for image classification with convolutional neural networks",
        doi_or_arxiv="arXiv:1812.01187",
        image_size=(224, 224),
        channels=3,
        classes=1000,
        parameters=25_576_264,
        multiply_adds=4_328_824_832,
        summary="ResNet-50 that throws no value away where it halves its maps.",
        top1=80.546,
        top1_source="timm results, resnet50d.ra2_in1k at 224",
    )
)
def resnet50d(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> ResNet:
    return ResNet(
        BottleneckD,
        (3, 4, 6, 3),
        classes=classes,
        in_channels=in_channels,
        image_size=image_size,
        stem=partial(deep, 32),
    )
