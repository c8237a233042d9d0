"""MnasNet: Tan et al. 2018, "Platform-aware neural architecture search for mobile", arXiv 1807.11626.

A search that measures latency on a phone, block by block; this is B1, the one without squeeze and
excitation. The networks of these names in torchvision.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from striate.layers import Residual, Style, he_normal_, make_divisible
from striate.models.card import Card
from striate.models.registry import register

STEM, FIRST, HEAD = 32, 16, 1280

# Figure 7 of the paper without its excitation, as B1 in the authors' code. Shapes at 224x224, first 112.
STACKS = (
    # kernel, stride, expansion, channels, blocks
    (3, 2, 3, 24, 3),  # 56
    (5, 2, 3, 40, 3),  # 28
    (5, 2, 6, 80, 3),  # 14
    (3, 1, 6, 96, 2),  # 14
    (5, 2, 6, 192, 4),  # 7
    (3, 1, 6, 320, 1),  # 7
)

STYLE = Style(norm=partial(nn.BatchNorm2d, momentum=1 - 0.9997))  # TensorFlow's 0.9997, as in torchvision


def unit(in_channels: int, out_channels: int, kernel_size: int, stride: int, groups: int) -> list[nn.Module]:
    """Convolution and norm, side by side in the sequence around them: torchvision's names."""
    return [
        STYLE.convolution(in_channels, out_channels, kernel_size, stride, groups),
        STYLE.norm(out_channels),
    ]


class InvertedResidual(Residual):
    """MobileNet v2's block, its eight parts in one sequence."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int, expansion: int
    ) -> None:
        expanded = in_channels * expansion
        layers = nn.Sequential(
            *unit(in_channels, expanded, 1, 1, 1),
            STYLE.activation(),
            *unit(expanded, expanded, kernel_size, stride, expanded),
            STYLE.activation(),
            *unit(expanded, out_channels, 1, 1, 1),
        )
        super().__init__({"layers": layers}, skip=stride == 1 and in_channels == out_channels)


class MNASNet(nn.Sequential):
    """(N, in_channels, H, W) to (N, classes); ``width`` multiplies all channels but the head's.

    Weights start as in torchvision: convolutions by He's rule over the fan out, the last layer uniformly
    over +-sqrt(3 / classes).
    """

    def __init__(self, width: float, *, classes: int, in_channels: int) -> None:
        stem, channels = make_divisible(STEM * width), make_divisible(FIRST * width)
        layers = nn.Sequential(
            *unit(in_channels, stem, 3, 2, 1),
            STYLE.activation(),
            *unit(stem, stem, 3, 1, stem),
            STYLE.activation(),
            *unit(stem, channels, 1, 1, 1),
        )
        for kernel_size, stride, expansion, out_channels, blocks in STACKS:
            stack = nn.Sequential()
            for index in range(blocks):
                after = make_divisible(out_channels * width)
                step = stride if index == 0 else 1
                stack.append(InvertedResidual(channels, after, kernel_size, step, expansion))
                channels = after
            layers.append(stack)
        layers.extend([*unit(channels, HEAD, 1, 1, 1), STYLE.activation()])
        last = nn.Linear(HEAD, classes)
        super().__init__(
            OrderedDict(
                layers=layers,
                avgpool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                classifier=nn.Sequential(nn.Dropout(0.2), last),
            )
        )
        he_normal_(self)
        nn.init.kaiming_uniform_(last.weight, mode="fan_out", nonlinearity="sigmoid")
        nn.init.zeros_(last.bias)


_card = partial(
    Card,
    year=2018,
    authors="Mingxing Tan, Bo Chen, Ruoming Pang, Vijay Vasudevan, Mark Sandler, Andrew Howard, Quoc V. Le",
    paper="MnasNet: platform-aware neural architecture search for mobile",
    doi_or_arxiv="arXiv:1807.11626",
    image_size=(224, 224),
    channels=3,
    classes=1000,
    notes=(
        "B1, without squeeze and excitation; the paper's figure 7 shows A1, with it.",
        "Running statistics take 0.0003 of each batch: short training needs a larger momentum.",
    ),
)


@register(
    _card(
        name="mnasnet0_5",
        title="MnasNet-B1, width 0.5",
        parameters=2_218_512,
        multiply_adds=104_455_968,
        summary="MnasNet with half of the channels.",
        top1=67.734,
        top1_source="torchvision MNASNet0_5_Weights.IMAGENET1K_V1",
    )
)
def mnasnet0_5(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> MNASNet:
    """Width 0.5."""
    return MNASNet(0.5, classes=classes, in_channels=in_channels)


@register(
    _card(
        name="mnasnet0_75",
        title="MnasNet-B1, width 0.75",
        parameters=3_170_208,
        multiply_adds=215_493_104,
        summary="MnasNet with three quarters of the channels.",
        top1=71.180,
        top1_source="torchvision MNASNet0_75_Weights.IMAGENET1K_V1",
    )
)
def mnasnet0_75(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> MNASNet:
    """Width 0.75."""
    return MNASNet(0.75, classes=classes, in_channels=in_channels)


@register(
    _card(
        name="mnasnet1_0",
        title="MnasNet-B1",
        parameters=4_383_312,
        multiply_adds=314_415_872,
        summary="Searched block by block for latency measured on a phone.",
        top1=73.456,
        top1_source="torchvision MNASNet1_0_Weights.IMAGENET1K_V1",
    )
)
def mnasnet1_0(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> MNASNet:
    """Width 1."""
    return MNASNet(1.0, classes=classes, in_channels=in_channels)


@register(
    _card(
        name="mnasnet1_3",
        title="MnasNet-B1, width 1.3",
        parameters=6_282_256,
        multiply_adds=526_362_432,
        summary="MnasNet with 1.3 times the channels.",
        top1=76.506,
        top1_source="torchvision MNASNet1_3_Weights.IMAGENET1K_V1",
    )
)
def mnasnet1_3(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> MNASNet:
    """Width 1.3."""
    return MNASNet(1.3, classes=classes, in_channels=in_channels)
