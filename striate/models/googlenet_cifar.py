"""GoogLeNet for 32x32 images: the form of Kuang Liu, https://github.com/kuangliu/pytorch-cifar, 2017.

    pre_layers (192, 32, 32)   a3, b3 (480, 32, 32)   pool   a4 to e4 (832, 16, 16)   pool   a5, b5 (1024, 8,
    8) the mean of each map (1024)   linear (classes)

The stem is one 3x3 convolution; the rest is the table of googlenet, with batch norm, and two 3x3 windows one
after the other in the place of one of 5x5.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from striate.layers import Branches
from striate.models.googlenet import INCEPTIONS, GoogLeNetCard
from striate.models.registry import register


def normed(before: int, after: int, kernel_size: int = 1) -> list[nn.Module]:
    """Convolution of unchanged size, batch norm, ReLU."""
    conv = nn.Conv2d(before, after, kernel_size, padding=kernel_size // 2)
    return [conv, nn.BatchNorm2d(after), nn.ReLU()]


def inception(name: str) -> Branches:
    """(N, in, H, W) to (N, out, H, W)."""
    before, one, reduce3, three, reduce5, five, pool = INCEPTIONS[name]
    return Branches(
        b1=nn.Sequential(*normed(before, one)),
        b2=nn.Sequential(*normed(before, reduce3), *normed(reduce3, three, 3)),
        b3=nn.Sequential(*normed(before, reduce5), *normed(reduce5, five, 3), *normed(five, five, 3)),
        b4=nn.Sequential(nn.MaxPool2d(3, 1, 1), *normed(before, pool)),
    )


@register(
    GoogLeNetCard(
        name="googlenet_cifar",
        title="GoogLeNet for 32x32 images",
        image_size=(32, 32),
        classes=10,
        parameters=6_166_250,
        multiply_adds=1_521_756_160,
        summary="The modules of GoogLeNet after a single small convolution.",
        notes=(
            "Each convolution has a bias although a batch norm follows, as in the source: its gradient is "
            "zero but for rounding.",
        ),
    )
)
def googlenet_cifar(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """The same network for every ``image_size``. Starts as torch.nn starts its layers, as in the source."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(pre_layers=nn.Sequential(*normed(in_channels, 192, 3)))
    for name in INCEPTIONS:
        if name in ("4a", "5a"):
            layers[f"pool{name[0]}"] = nn.MaxPool2d(3, 2, 1)
        layers[name[1] + name[0]] = inception(name)
    layers |= OrderedDict(
        avgpool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), linear=nn.Linear(1024, classes)
    )
    return nn.Sequential(layers)
