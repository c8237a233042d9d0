"""EfficientNet v2 B0 to B3, the small ones: Tan and Le 2021, arXiv 2104.00298.

EfficientNet's scaling applied to version 2. They live in timm, as tf_efficientnetv2_b0 to b3: its names, and
TensorFlow's padding and epsilon, with which their weights were learned.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from functools import partial

from torch import nn

from striate.layers import (
    EdgeResidual,
    InvertedResidual,
    Residual,
    SqueezeExcite,
    Style,
    he_normal_,
    make_divisible,
    same_convolution,
)
from striate.models.card import Card
from striate.models.registry import register

STEM, HEAD = 32, 1280
DROP = 0.2  # stochastic depth of the last block; it grows from 0 at the first

# The authors' code (effnetv2_configs). All kernels are 3x3. Shapes of B0 at 224x224.
STAGES = (
    # block, expansion, stride, channels, layers
    ("conv", 1, 1, 16, 1),  # 112
    ("fused", 4, 2, 32, 2),  # 56
    ("fused", 4, 2, 48, 2),  # 28
    ("mbconv", 4, 2, 96, 3),  # 14
    ("mbconv", 6, 1, 112, 5),  # 14
    ("mbconv", 6, 2, 192, 8),  # 7
)

STYLE = Style(partial(nn.BatchNorm2d, eps=1e-3), nn.SiLU, same_convolution)


def block(
    kind: str, in_channels: int, out_channels: int, stride: int, expansion: int, drop: float
) -> nn.Module:
    """The block that a row of the table describes; the excitation squeezes to a quarter of what came in."""
    if kind == "conv":
        parts = {
            "conv": STYLE.convolution(in_channels, out_channels, 3, stride),
            "bn1": STYLE.norm(out_channels),
            "act1": STYLE.activation(),
        }
        return Residual(parts, skip=in_channels == out_channels and stride == 1, drop=drop)
    if kind == "fused":
        return EdgeResidual(in_channels, out_channels, 3, stride, expansion, style=STYLE, drop=drop)
    excite = SqueezeExcite(
        in_channels * expansion, in_channels // 4, nn.SiLU, names=("conv_reduce", "conv_expand")
    )
    return InvertedResidual(
        in_channels, out_channels, 3, stride, expansion, style=STYLE, excite=excite, drop=drop
    )


class EfficientNetV2Base(nn.Sequential):
    """(N, in_channels, H, W) to (N, classes).

    ``width`` multiplies channels, rounded to the nearest multiple of 8 even where that takes more than a
    tenth away, unlike in version 1; ``depth`` multiplies layers, rounded up. Convolutions start by He's rule
    over the fan out of each group, the last layer uniformly over +-1 / sqrt(classes).
    """

    def __init__(self, width: float, depth: float, dropout: float, *, classes: int, in_channels: int) -> None:
        scaled = partial(make_divisible, least_share=0.0)
        channels, head = scaled(STEM * width), scaled(HEAD * width)
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            conv_stem=STYLE.convolution(in_channels, channels, 3, 2),
            bn1=STYLE.norm(channels),
            act1=STYLE.activation(),
        )
        total = sum(math.ceil(layers * depth) for *_, layers in STAGES)
        blocks, built = nn.Sequential(), 0
        for kind, expansion, stride, out_channels, layers in STAGES:
            stage, after = nn.Sequential(), scaled(out_channels * width)
            for index in range(math.ceil(layers * depth)):
                step = stride if index == 0 else 1
                stage.append(block(kind, channels, after, step, expansion, DROP * built / total))
                channels, built = after, built + 1
            blocks.append(stage)
        last = nn.Linear(head, classes)
        parts |= OrderedDict(
            blocks=blocks,
            conv_head=STYLE.convolution(channels, head, 1),
            bn2=STYLE.norm(head),
            act2=STYLE.activation(),
            global_pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            dropout=nn.Dropout(dropout),
            classifier=last,
        )
        super().__init__(parts)
        he_normal_(self, grouped=True)
        nn.init.uniform_(last.weight, -(classes**-0.5), classes**-0.5)
        nn.init.zeros_(last.bias)


_card = partial(
    Card,
    year=2021,
    authors="Mingxing Tan, Quoc V. Le",
    paper="EfficientNetV2: smaller models and faster training",
    doi_or_arxiv="arXiv:2104.00298",
    channels=3,
    classes=1000,
    notes=("TensorFlow's padding: at stride 2 an odd pixel of it stands at the lower right.",),
)


@register(
    _card(
        name="efficientnet_v2_b0",
        title="EfficientNet v2-B0",
        image_size=(224, 224),
        parameters=7_139_704,
        multiply_adds=718_086_176,
        summary="EfficientNet v2 at the size of EfficientNet-B0.",
        top1=78.386,
        top1_source="timm results, tf_efficientnetv2_b0.in1k at 224",
    )
)
def efficientnet_v2_b0(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> EfficientNetV2Base:
    """Width 1.0, depth 1.0, dropout 0.2."""
    return EfficientNetV2Base(1.0, 1.0, 0.2, classes=classes, in_channels=in_channels)


@register(
    _card(
        name="efficientnet_v2_b1",
        title="EfficientNet v2-B1",
        image_size=(240, 240),
        parameters=8_141_052,
        multiply_adds=1_196_819_360,
        summary="EfficientNet v2-B0 made 1.0 times as wide and 1.1 times as deep, on images of 240 pixels.",
        top1=79.518,
        top1_source="timm results, tf_efficientnetv2_b1.in1k at 240",
    )
)
def efficientnet_v2_b1(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> EfficientNetV2Base:
    """Width 1.0, depth 1.1, dropout 0.2."""
    return EfficientNetV2Base(1.0, 1.1, 0.2, classes=classes, in_channels=in_channels)


@register(
    _card(
        name="efficientnet_v2_b2",
        title="EfficientNet v2-B2",
        image_size=(260, 260),
        parameters=10_096_086,
        multiply_adds=1_697_542_832,
        summary="EfficientNet v2-B0 made 1.1 times as wide and 1.2 times as deep, on images of 260 pixels.",
        top1=80.226,
        top1_source="timm results, tf_efficientnetv2_b2.in1k at 260",
    )
)
def efficientnet_v2_b2(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> EfficientNetV2Base:
    """Width 1.1, depth 1.2, dropout 0.3."""
    return EfficientNetV2Base(1.1, 1.2, 0.3, classes=classes, in_channels=in_channels)


@register(
    _card(
        name="efficientnet_v2_b3",
        title="EfficientNet v2-B3",
        image_size=(300, 300),
        parameters=14_358_406,
        multiply_adds=3_011_458_816,
        summary="EfficientNet v2-B0 made 1.2 times as wide and 1.4 times as deep, on images of 300 pixels.",
        top1=81.96,
        top1_source="timm results, tf_efficientnetv2_b3.in1k at 300",
    )
)
def efficientnet_v2_b3(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> EfficientNetV2Base:
    """Width 1.2, depth 1.4, dropout 0.3."""
    return EfficientNetV2Base(1.2, 1.4, 0.3, classes=classes, in_channels=in_channels)
