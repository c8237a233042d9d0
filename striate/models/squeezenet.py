"""SqueezeNet: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model
size", 2016, arXiv 1602.07360.

A fire module squeezes its maps through a few 1x1 convolutions and expands them by 1x1 and 3x3 ones side by
side:

    fire           2    3    4    5    6    7    8    9
    squeeze        16   16   32   32   48   48   64   64    maps of the 1x1 convolution
    expand         64   64  128  128  192  192  256  256    maps of each of the two that expand
    1.0  conv1 96, 7x7 / 2, pool,             pool after 4 and 8
    1.1  conv1 64, 3x3 / 2, pool,  pool after 3 and 5: 2.4 times fewer multiply-adds, the same accuracy

Then dropout, a 1x1 convolution to the classes, ReLU, and the mean of each map. The names mean torchvision's
networks, without the bypasses that the paper tries in section 6.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import torch
from torch import Tensor, nn

from striate.models.card import Card
from striate.models.registry import register

SqueezeNetCard = partial(
    Card,
    year=2016,
    authors="Forrest N. Iandola, Song Han, Matthew W. Moskewicz, Khalid Ashraf, William J. Dally, Kurt "
    "Keutzer",
    paper="SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size",
    doi_or_arxiv="arXiv:1602.07360",
    channels=3,
)


class Fire(nn.Module):
    """(N, in_channels, H, W) to (N, 2 expand, H, W)."""

    def __init__(self, in_channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeeze, 1)
        self.squeeze_activation = nn.ReLU()
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand1x1_activation = nn.ReLU()
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)
        self.expand3x3_activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze_activation(self.squeeze(x))
        return torch.cat(
            [self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x))], 1
        )


def pool() -> nn.MaxPool2d:
    """Overlapping windows as in AlexNet; ceil_mode keeps the border, as in the authors' Caffe."""
    return nn.MaxPool2d(3, 2, ceil_mode=True)


def squeezenet(features: nn.Sequential, classes: int) -> nn.Sequential:
    """(N, in_channels, H, W) to (N, classes), the same network for every image size.

    Starts as in torchvision: He et al. 2015 over the fan in, uniform; the last convolution with a deviation
    of 0.01; biases at 0.
    """
    last = nn.Conv2d(512, classes, 1)
    network = nn.Sequential(
        OrderedDict(
            features=features,
            classifier=nn.Sequential(nn.Dropout(0.5), last, nn.ReLU(), nn.AdaptiveAvgPool2d(1)),
            flatten=nn.Flatten(),
        )
    )
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    nn.init.normal_(last.weight, 0, 0.01)
    return network


@register(
    SqueezeNetCard(
        name="squeezenet1_0",
        title="SqueezeNet 1.0",
        image_size=(224, 224),
        classes=1000,
        parameters=1_248_424,
        multiply_adds=818_924_576,
        top1=58.092,
        top1_source="torchvision, SqueezeNet1_0_Weights.IMAGENET1K_V1",
        summary="AlexNet's accuracy with a fiftieth of its parameters.",
        deliberate=(("field-smaller-than-image", "Pools stand late (section 3.1); the average sees all."),),
    )
)
def squeezenet1_0(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """Version 1.0, of the paper."""
    fires = (Fire(96, 16, 64), Fire(128, 16, 64), Fire(128, 32, 128), pool())
    more = (Fire(256, 32, 128), Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), pool())
    conv1 = nn.Conv2d(in_channels, 96, 7, 2)
    return squeezenet(nn.Sequential(conv1, nn.ReLU(), pool(), *fires, *more, Fire(512, 64, 256)), classes)


@register(
    SqueezeNetCard(
        name="squeezenet1_1",
        title="SqueezeNet 1.1",
        image_size=(224, 224),
        classes=1000,
        parameters=1_235_496,
        multiply_adds=349_151_936,
        top1=58.178,
        top1_source="torchvision, SqueezeNet1_1_Weights.IMAGENET1K_V1",
        summary="SqueezeNet with a smaller first window and earlier pools: the accuracy of 1.0 for less "
        "work.",
        notes=("Not in the paper: published by its authors at https://github.com/forresti/SqueezeNet.",),
    )
)
def squeezenet1_1(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """Version 1.1, of the authors' repository."""
    fires = (Fire(64, 16, 64), Fire(128, 16, 64), pool(), Fire(128, 32, 128), Fire(256, 32, 128), pool())
    more = (Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256))
    conv1 = nn.Conv2d(in_channels, 64, 3, 2)
    return squeezenet(nn.Sequential(conv1, nn.ReLU(), pool(), *fires, *more), classes)
