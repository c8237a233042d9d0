"""DenseNet: Huang, Liu, van der Maaten, Weinberger, "Densely connected convolutional networks", 2016.

arXiv 1608.06993. Every layer sees the maps of all layers before it in its block, and adds k maps of its own
(k is the "growth rate"). Between blocks a transition halves the map, and the channels with it. Shapes of
densenet121 (k = 32) at 224x224:

    conv0 (64, 112, 112)   pool0 (64, 56, 56)   denseblock1 (256, 56, 56)   transition1 (128, 28, 28)
    denseblock2 (512, 28, 28)   transition2 (256, 14, 14)   denseblock3 (1024, 14, 14)
    transition3 (512, 7, 7)   denseblock4 (1024, 7, 7)   norm5, pool (1024)   classifier (classes)

Names as in torchvision. Starts as the authors' code: He et al. 2015 (arXiv 1502.01852) over the fan in, the
classifier's bias at 0.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.layers import he_normal_
from striate.models.card import Card
from striate.models.registry import register

DenseNetCard = partial(
    Card,
    year=2016,
    authors="Gao Huang, Zhuang Liu, Laurens van der Maaten, Kilian Q. Weinberger",
    paper="Densely connected convolutional networks",
    doi_or_arxiv="arXiv:1608.06993",
    channels=3,
)
BOTTLENECK = 4  # the 1x1 convolution before each 3x3 gives 4k maps (section 3, "DenseNet-B")


class DenseLayer(nn.Sequential):
    """(N, in_channels, H, W) to (N, growth, H, W): norm, ReLU, convolution; with a bottleneck, all twice."""

    def __init__(self, in_channels: int, growth: int, *, bottleneck: bool) -> None:
        parts = OrderedDict[str, nn.Module](norm1=nn.BatchNorm2d(in_channels), relu1=nn.ReLU())
        if bottleneck:
            inner = BOTTLENECK * growth
            parts["conv1"] = nn.Conv2d(in_channels, inner, 1, bias=False)
            parts["norm2"] = nn.BatchNorm2d(inner)
            parts["relu2"] = nn.ReLU()
            parts["conv2"] = nn.Conv2d(inner, growth, 3, padding=1, bias=False)
        else:
            parts["conv1"] = nn.Conv2d(in_channels, growth, 3, padding=1, bias=False)
        super().__init__(parts)


class DenseBlock(nn.Module):
    """``count`` layers, each adding ``growth`` maps to what it saw: channels grow by count * growth."""

    def __init__(self, in_channels: int, growth: int, count: int, *, bottleneck: bool) -> None:
        super().__init__()
        for index in range(count):
            layer = DenseLayer(in_channels + index * growth, growth, bottleneck=bottleneck)
            self.add_module(f"denselayer{index + 1}", layer)
        self.out_channels = in_channels + count * growth

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.children():
            x = torch.cat([x, layer(x)], dim=1)
        return x


class Transition(nn.Sequential):
    """Norm, ReLU, a 1x1 convolution, and the mean of each 2x2 window."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            OrderedDict(
                norm=nn.BatchNorm2d(in_channels),
                relu=nn.ReLU(),
                conv=nn.Conv2d(in_channels, out_channels, 1, bias=False),
                pool=nn.AvgPool2d(2),
            )
        )


class DenseNet(nn.Module):
    """(N, in_channels, H, W) to (N, classes).

    ``stem`` is the number of maps before the first block. ``compressed`` says whether transitions halve the
    channels ("C"), ``bottleneck`` whether layers have a 1x1 convolution ("B"); the paper has neither, or
    both. ``small_images`` is the stem for 32x32 images, a bare 3x3 convolution.
    """

    def __init__(
        self,
        growth: int,
        stem: int,
        blocks: tuple[int, ...],
        *,
        classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        small_images: bool = False,
        compressed: bool = True,
    ) -> None:
        super().__init__()
        parts = OrderedDict[str, nn.Module](conv0=nn.Conv2d(in_channels, stem, 3, padding=1, bias=False))
        if not small_images:
            parts["conv0"] = nn.Conv2d(in_channels, stem, 7, 2, 3, bias=False)
            parts["norm0"], parts["relu0"] = nn.BatchNorm2d(stem), nn.ReLU()
            parts["pool0"] = nn.MaxPool2d(3, 2, 1)
        channels = stem
        for index, count in enumerate(blocks, start=1):
            if index > 1:
                narrowed = channels // 2 if compressed else channels
                parts[f"transition{index - 1}"] = Transition(channels, narrowed)
                channels = narrowed
            block = DenseBlock(channels, growth, count, bottleneck=compressed)
            parts[f"denseblock{index}"] = block
            channels = block.out_channels
        parts[f"norm{len(blocks) + 1}"] = nn.BatchNorm2d(channels)
        self.features, self.relu = nn.Sequential(parts), nn.ReLU()
        self.classifier = nn.Linear(channels, classes)
        he_normal_(self, "fan_in")
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.relu(self.features(x))
        scores: Tensor = self.classifier(F.adaptive_avg_pool2d(maps, 1).flatten(1))
        return scores


# fmt: off
IMAGENET = (  # table 1 of the paper
    # layers  k  stem  layers in blocks 1-4   parameters  multiply-adds  top-1
    (121,    32, 64, (6, 12, 24, 16),   7_978_856, 2_834_161_664, 74.434),
    (161,    48, 96, (6, 12, 36, 24),  28_681_000, 7_727_907_072, 77.138),
    (169,    32, 64, (6, 12, 32, 32),  14_149_480, 3_359_843_328, 75.600),
    (201,    32, 64, (6, 12, 48, 32),  20_013_928, 4_291_365_888, 76.896),
)
# fmt: on

for layers, growth, stem, blocks, parameters, multiply_adds, top1 in IMAGENET:
    register(
        DenseNetCard(
            name=f"densenet{layers}",
            title=f"DenseNet-{layers}",
            image_size=(224, 224),
            classes=1000,
            parameters=parameters,
            multiply_adds=multiply_adds,
            summary=f"{layers} layers, each of which sees all before it in its block.",
            top1=top1,
            top1_source="torchvision, weights IMAGENET1K_V1",
        )
    )(partial(DenseNet, growth, stem, blocks))

SmallCard = partial(
    DenseNetCard,
    image_size=(32, 32),
    classes=10,
    top1_source="CIFAR-10 with flips and shifts: the authors' https://github.com/liuzhuang13/DenseNet",
)


@register(
    SmallCard(
        name="densenet40_12_cifar",
        title="DenseNet-40, k = 12",
        parameters=1_019_722,
        multiply_adds=264_812_928,
        summary="The plain form for 32x32 images: no bottlenecks, no compression.",
        top1=94.76,
        notes=("Without the dropout that the paper has where images are not augmented.",),
    )
)
def densenet40_12_cifar(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> DenseNet:
    """Three blocks of 12 layers behind a stem of 16 maps; at 32x32 they work at 32x32, 16x16 and 8x8."""
    return DenseNet(
        12,
        16,
        (12, 12, 12),
        classes=classes,
        in_channels=in_channels,
        image_size=image_size,
        small_images=True,
        compressed=False,
    )


@register(
    SmallCard(
        name="densenet_bc100_12_cifar",
        title="DenseNet-BC-100, k = 12",
        parameters=769_162,
        multiply_adds=287_929_692,
        summary="The frugal form for 32x32 images: bottlenecks and compression.",
        top1=95.49,
    )
)
def densenet_bc100_12_cifar(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> DenseNet:
    """Three blocks of 16 layers behind a stem of 2k = 24 maps."""
    return DenseNet(
        12,
        24,
        (16, 16, 16),
        classes=classes,
        in_channels=in_channels,
        image_size=image_size,
        small_images=True,
    )
