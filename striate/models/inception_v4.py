"""Inception v4: Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the impact of residual
connections on learning", 2016, arXiv 1602.07261.

    part            maps   size at 299   figure
    stem             384    35           3: three convolutions, then three places where it forks
    4 x A            384    35           4
    reduction A     1024    17           7, with k, l, m, n = 192, 224, 256, 384
    7 x B           1024    17           5
    reduction B     1536     8           8
    3 x C           1536     8           6
    the mean of each map, the linear layer

The name means timm's network (``features`` and ``last_linear`` are its names), which follows the one that
Google trained and published. Means over 3x3 leave the zeros around the map out (count_include_pad). timm has
no dropout before the linear layer, where the paper's figure 9 keeps 0.8.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import torch
from torch import Tensor, nn

from striate.layers import Branches, ConvBNReLU
from striate.models.card import Card
from striate.models.registry import register


def row(before: int, after: int, length: int = 7) -> ConvBNReLU:
    """1 x length, of unchanged size."""
    return ConvBNReLU(before, after, (1, length), padding=(0, length // 2))


def column(before: int, after: int, length: int = 7) -> ConvBNReLU:
    """length x 1, of unchanged size."""
    return ConvBNReLU(before, after, (length, 1), padding=(length // 2, 0))


def square(before: int, after: int) -> ConvBNReLU:
    """3x3, of unchanged size."""
    return ConvBNReLU(before, after, 3, padding=1)


def mean_then(before: int, after: int) -> nn.Sequential:
    """3x3 means of unchanged size, then 1x1."""
    return nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), ConvBNReLU(before, after))


def stem(in_channels: int, *, small_images: bool) -> list[nn.Module]:
    """(N, in_channels, 299, 299) to (N, 384, 35, 35); with ``small_images``, 32x32 to 30x30."""
    stride, pad = (1, 1) if small_images else (2, 0)
    short = nn.Sequential(ConvBNReLU(160, 64), ConvBNReLU(64, 96, 3, padding=pad))
    long = (ConvBNReLU(160, 64), row(64, 64), column(64, 64), ConvBNReLU(64, 96, 3, padding=pad))
    return [
        ConvBNReLU(in_channels, 32, 3, stride),
        ConvBNReLU(32, 32, 3, padding=pad),
        square(32, 64),
        Branches(maxpool=nn.MaxPool2d(3, stride, pad), conv=ConvBNReLU(64, 96, 3, stride, pad)),
        Branches(branch0=short, branch1=nn.Sequential(*long)),
        Branches(conv=ConvBNReLU(192, 192, 3, stride, pad), maxpool=nn.MaxPool2d(3, stride, pad)),
    ]


def block_a() -> Branches:
    """(N, 384, H, W) to the same."""
    return Branches(
        branch0=ConvBNReLU(384, 96),
        branch1=nn.Sequential(ConvBNReLU(384, 64), square(64, 96)),
        branch2=nn.Sequential(ConvBNReLU(384, 64), square(64, 96), square(96, 96)),
        branch3=mean_then(384, 96),
    )


def reduction_a() -> Branches:
    """(N, 384, H, W) to (N, 1024, H/2, W/2)."""
    return Branches(
        branch0=ConvBNReLU(384, 384, 3, 2),
        branch1=nn.Sequential(ConvBNReLU(384, 192), square(192, 224), ConvBNReLU(224, 256, 3, 2)),
        branch2=nn.MaxPool2d(3, 2),
    )


def block_b() -> Branches:
    """(N, 1024, H, W) to the same."""
    twice = (column(192, 192), row(192, 224), column(224, 224), row(224, 256))
    return Branches(
        branch0=ConvBNReLU(1024, 384),
        branch1=nn.Sequential(ConvBNReLU(1024, 192), row(192, 224), column(224, 256)),
        branch2=nn.Sequential(ConvBNReLU(1024, 192), *twice),
        branch3=mean_then(1024, 128),
    )


def reduction_b() -> Branches:
    """(N, 1024, H, W) to (N, 1536, H/2, W/2)."""
    large = (row(256, 256), column(256, 320), ConvBNReLU(320, 320, 3, 2))
    return Branches(
        branch0=nn.Sequential(ConvBNReLU(1024, 192), ConvBNReLU(192, 192, 3, 2)),
        branch1=nn.Sequential(ConvBNReLU(1024, 256), *large),
        branch2=nn.MaxPool2d(3, 2),
    )


class C(nn.Module):
    """(N, 1536, H, W) to the same; two branches end in a row and a column side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.branch0 = ConvBNReLU(1536, 256)
        self.branch1_0 = ConvBNReLU(1536, 384)
        self.branch1_1a, self.branch1_1b = row(384, 256, 3), column(384, 256, 3)
        self.branch2_0 = ConvBNReLU(1536, 384)
        self.branch2_1, self.branch2_2 = column(384, 448, 3), row(448, 512, 3)
        self.branch2_3a, self.branch2_3b = row(512, 256, 3), column(512, 256, 3)
        self.branch3 = mean_then(1536, 256)

    def forward(self, x: Tensor) -> Tensor:
        one = self.branch1_0(x)
        two = self.branch2_2(self.branch2_1(self.branch2_0(x)))
        ends = [self.branch1_1a(one), self.branch1_1b(one), self.branch2_3a(two), self.branch2_3b(two)]
        return torch.cat([self.branch0(x), *ends, self.branch3(x)], 1)


class InceptionV4(nn.Sequential):
    """(N, in_channels, H, W) to (N, classes), the same network for every size of image.

    Starts as torch.nn starts its layers, as in timm.
    """

    def __init__(self, *, classes: int, in_channels: int, small_images: bool = False) -> None:
        features = nn.Sequential(
            *stem(in_channels, small_images=small_images),
            *(block_a() for _ in range(4)),
            reduction_a(),
            *(block_b() for _ in range(7)),
            reduction_b(),
            *(C() for _ in range(3)),
        )
        super().__init__(
            OrderedDict(
                features=features,
                global_pool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                last_linear=nn.Linear(1536, classes),
            )
        )


InceptionCard = partial(
    Card,
    year=2016,
    authors="Christian Szegedy, Sergey Ioffe, Vincent Vanhoucke, Alexander A. Alemi",
    paper="Inception-v4, Inception-ResNet and the impact of residual connections on learning",
    doi_or_arxiv="arXiv:1602.07261",
    channels=3,
)


@register(
    InceptionCard(
        name="inception_v4",
        title="Inception v4",
        image_size=(299, 299),
        classes=1000,
        parameters=42_679_816,
        multiply_adds=12_253_974_624,
        top1=80.21,
        top1_source="the authors' TensorFlow weights, measured by OpenVINO's model zoo (googlenet-v4-tf)",
        receptive_field=2071,
        summary="Inception grown deeper and made uniform, to be compared with its residual sisters.",
        notes=("timm's weights expect images that are normalised by mean 0.5 and deviation 0.5.",),
    )
)
def inception_v4(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> InceptionV4:
    """The paper's stem."""
    return InceptionV4(classes=classes, in_channels=in_channels)


@register(
    InceptionCard(
        name="inception_v4_cifar",
        title="Inception v4 for 32x32 images",
        image_size=(32, 32),
        classes=10,
        parameters=41_158_186,
        multiply_adds=7_309_384_064,
        summary="Inception v4 with a stem that keeps small images at their size.",
        notes=(
            "The stem is that of https://github.com/weiaicunzai/pytorch-cifar100; the rest is inception_v4, "
            "so that its weights fit.",
        ),
    )
)
def inception_v4_cifar(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> InceptionV4:
    """Maps at 32x32: stem and A 30, B 14, C 6."""
    return InceptionV4(classes=classes, in_channels=in_channels, small_images=True)
