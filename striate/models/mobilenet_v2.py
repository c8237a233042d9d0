"""MobileNet v2: Sandler et al. 2018, "Inverted residuals and linear bottlenecks", arXiv 1801.04381.

Shortcuts join the narrow maps, not the wide ones, and the narrow ones are not activated. The network of this
name in torchvision: its names, its numbers.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from striate.layers import ConvNorm, Residual, Style, he_normal_
from striate.models.card import Card
from striate.models.registry import register

STEM, HEAD = 32, 1280

# Table 2 of the paper. Shapes at 224x224.
STAGES = (
    # expansion t, channels c, blocks n, stride s of the first
    (1, 16, 1, 1),  # 112
    (6, 24, 2, 2),  # 56
    (6, 32, 3, 2),  # 28
    (6, 64, 4, 2),  # 14
    (6, 96, 3, 1),  # 14
    (6, 160, 3, 2),  # 7
    (6, 320, 1, 1),  # 7
)

# For 32x32 images the second row, and the stem, have stride 1: Kuang Liu, github.com/kuangliu/pytorch-cifar.
SMALL_IMAGES = (STAGES[0], (6, 24, 2, 1), *STAGES[2:])

# Section 4 of the paper: "because of its robustness when used with low-precision computation".
STYLE = Style(activation=nn.ReLU6)


class Bottleneck(Residual):
    """Figure 4 (d): widen, convolve each map alone, narrow without activation.

    The last convolution and its norm lie beside the units before them: torchvision's names, which are older
    than ``MBConv``'s.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        expanded = in_channels * expansion
        conv = nn.Sequential()
        if expansion != 1:
            conv.append(ConvNorm(in_channels, expanded, 1, style=STYLE))
        conv.append(ConvNorm(expanded, expanded, 3, stride, groups=expanded, style=STYLE))
        conv.append(STYLE.convolution(expanded, out_channels, 1))
        conv.append(STYLE.norm(out_channels))
        super().__init__({"conv": conv}, skip=stride == 1 and in_channels == out_channels)


class MobileNetV2(nn.Sequential):
    """(N, in_channels, H, W) to (N, classes).

    ``stem_stride`` is 2 in the paper and 1 for small images. Convolutions start by He's rule over the fan
    out, the last layer with deviation 0.01: torchvision's code, as the paper does not say.
    """

    def __init__(
        self,
        stages: tuple[tuple[int, int, int, int], ...],
        stem_stride: int,
        *,
        classes: int,
        in_channels: int,
    ) -> None:
        features = nn.Sequential(ConvNorm(in_channels, STEM, 3, stem_stride, style=STYLE))
        channels = STEM
        for expansion, out_channels, blocks, stride in stages:
            for index in range(blocks):
                features.append(
                    Bottleneck(channels, out_channels, stride if index == 0 else 1, expansion=expansion)
                )
                channels = out_channels
        features.append(ConvNorm(channels, HEAD, 1, style=STYLE))
        last = nn.Linear(HEAD, classes)
        super().__init__(
            OrderedDict(
                features=features,
                avgpool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                classifier=nn.Sequential(nn.Dropout(0.2), last),
            )
        )
        he_normal_(self)
        nn.init.normal_(last.weight, 0, 0.01)
        nn.init.zeros_(last.bias)


_card = partial(
    Card,
    year=2018,
    authors="Mark Sandler, Andrew Howard, Menglong Zhu, Andrey Zhmoginov, Liang-Chieh Chen",
    paper="MobileNetV2: inverted residuals and linear bottlenecks",
    doi_or_arxiv="arXiv:1801.04381",
    channels=3,
)


@register(
    _card(
        name="mobilenet_v2",
        title="MobileNet v2",
        image_size=(224, 224),
        classes=1000,
        parameters=3_504_872,
        multiply_adds=300_774_272,
        summary="Shortcuts between narrow maps, work in wide ones: the block of all mobile networks since.",
        top1=71.878,
        top1_source="torchvision MobileNet_V2_Weights.IMAGENET1K_V1; the paper has 72.0",
    )
)
def mobilenet_v2(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> MobileNetV2:
    """Width 1."""
    return MobileNetV2(STAGES, 2, classes=classes, in_channels=in_channels)


@register(
    _card(
        name="mobilenet_v2_cifar",
        title="MobileNet v2 for 32x32 images",
        image_size=(32, 32),
        classes=10,
        parameters=2_236_682,
        multiply_adds=87_976_448,
        summary="MobileNet v2 that halves the map three times instead of five.",
        notes=("Kuang Liu's blocks have convolutions in some shortcuts, which no paper has; here are none.",),
    )
)
def mobilenet_v2_cifar(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> MobileNetV2:
    """The last map of a 32x32 image is 4x4."""
    return MobileNetV2(SMALL_IMAGES, 1, classes=classes, in_channels=in_channels)
