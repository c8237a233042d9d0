"""SqueezeNet for 32x32 images: the form of Weiaicunzai, https://github.com/weiaicunzai/pytorch-cifar100,
2018.

    layer     maps   size at 32
    stem        96   32, pooled to 16   3x3 convolution
    fire2..4   128, 128, 256   16, pooled to 8
    fire5..8   256, 384, 384, 512   8, pooled to 4
    fire9      512   4
    conv10   classes, then the mean of each map

Fire modules with batch norm, and with the paper's simple bypass (section 6): fire 3, 5 and 7 add to their
input. In the source fire 9 could have one too, and has none.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from striate.models.registry import register
from striate.models.squeezenet import SqueezeNetCard


def normed(in_channels: int, out_channels: int, kernel_size: int) -> nn.Sequential:
    """Convolution of unchanged size, batch norm, ReLU."""
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.ReLU())


class NormedFire(nn.Module):
    """(N, in_channels, H, W) to (N, 2 expand, H, W)."""

    def __init__(self, in_channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = normed(in_channels, squeeze, 1)
        self.expand_1x1 = normed(squeeze, expand, 1)
        self.expand_3x3 = normed(squeeze, expand, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x)
        return torch.cat([self.expand_1x1(x), self.expand_3x3(x)], dim=1)


class SqueezeNetCifar(nn.Module):
    """(N, in_channels, H, W) to (N, classes), the same network for every image size."""

    def __init__(self, *, classes: int, in_channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(normed(in_channels, 96, 3), nn.MaxPool2d(2))
        self.fire2 = NormedFire(96, 16, 64)
        self.fire3 = NormedFire(128, 16, 64)
        self.fire4 = NormedFire(128, 32, 128)
        self.pool4 = nn.MaxPool2d(2)
        self.fire5 = NormedFire(256, 32, 128)
        self.fire6 = NormedFire(256, 48, 192)
        self.fire7 = NormedFire(384, 48, 192)
        self.fire8 = NormedFire(384, 64, 256)
        self.pool8 = nn.MaxPool2d(2)
        self.fire9 = NormedFire(512, 64, 256)
        self.conv10 = nn.Conv2d(512, classes, 1)
        self.avg = nn.AdaptiveAvgPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fire2(self.stem(x))
        x = self.pool4(self.fire4(x + self.fire3(x)))
        x = self.fire6(x + self.fire5(x))
        x = self.pool8(self.fire8(x + self.fire7(x)))
        means: Tensor = self.avg(self.conv10(self.fire9(x)))
        return means.flatten(1)


@register(
    SqueezeNetCard(
        name="squeezenet_cifar",
        title="SqueezeNet for 32x32 images",
        image_size=(32, 32),
        classes=100,
        parameters=781_156,
        multiply_adds=53_280_768,
        top1=69.41,
        top1_source="CIFAR-100, 30.59 % error: https://github.com/weiaicunzai/pytorch-cifar100",
        summary="Fire modules with batch norm and bypasses, pooled less.",
        notes=(
            "Each convolution has a bias although a batch norm follows, as in the source: its gradient is "
            "zero but for rounding.",
        ),
    )
)
def squeezenet_cifar(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> SqueezeNetCifar:
    """Starts as torch.nn starts its layers, as in the source."""
    return SqueezeNetCifar(classes=classes, in_channels=in_channels)
