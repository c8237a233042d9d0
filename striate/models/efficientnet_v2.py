"""EfficientNet v2: Tan and Le 2021, "Smaller models and faster training", arXiv 2104.00298.

The early blocks are fused, a full convolution instead of a 1x1 and a depthwise one, and the search looked at
training speed too. The networks of these names in torchvision; B0 to B3, whose names are timm's, have a file
of their own.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from striate.layers import ConvNorm, MBConv, Residual, SqueezeExcite, Style, he_normal_
from striate.models.card import Card
from striate.models.registry import register

HEAD = 1280
DROP = 0.2  # stochastic depth of the last block; it grows from 0 at the first
STYLE = Style(
    partial(nn.BatchNorm2d, eps=1e-3), nn.SiLU
)  # TensorFlow's epsilon, torch's momentum: torchvision

Stages = tuple[tuple[bool, int, int, int, int], ...]

# Table 4 of the paper. All kernels are 3x3; the stem's channels are those of the first stage.
SMALL: Stages = (
    # fused, expansion, stride, channels, layers
    (True, 1, 1, 24, 2),
    (True, 4, 2, 48, 4),
    (True, 4, 2, 64, 4),
    (False, 4, 2, 128, 6),
    (False, 6, 1, 160, 9),
    (False, 6, 2, 256, 15),
)

# M and L are S scaled up by the authors' code (effnetv2_configs), with a seventh stage.
MEDIUM: Stages = (
    # fused, expansion, stride, channels, layers
    (True, 1, 1, 24, 3),
    (True, 4, 2, 48, 5),
    (True, 4, 2, 80, 5),
    (False, 4, 2, 160, 7),
    (False, 6, 1, 176, 14),
    (False, 6, 2, 304, 18),
    (False, 6, 1, 512, 5),
)

LARGE: Stages = (
    # fused, expansion, stride, channels, layers
    (True, 1, 1, 32, 4),
    (True, 4, 2, 64, 7),
    (True, 4, 2, 96, 7),
    (False, 4, 2, 192, 10),
    (False, 6, 1, 224, 19),
    (False, 6, 2, 384, 25),
    (False, 6, 1, 640, 7),
)


class FusedMBConv(Residual):
    """Widen by a 3x3 convolution, narrow by a 1x1 convolution without activation: figure 2 of the paper.

    (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride). With an expansion of 1 a single,
    activated convolution is left. ``EdgeResidual`` is this block under timm's names.
    """

    def __init__(self, in_channels: int, expansion: int, out_channels: int, stride: int, drop: float) -> None:
        expanded = in_channels * expansion
        if expansion == 1:
            block = nn.Sequential(ConvNorm(in_channels, out_channels, 3, stride, style=STYLE))
        else:
            block = nn.Sequential(
                ConvNorm(in_channels, expanded, 3, stride, style=STYLE),
                ConvNorm(expanded, out_channels, 1, style=STYLE, activate=False),
            )
        super().__init__({"block": block}, skip=stride == 1 and in_channels == out_channels, drop=drop)


class EfficientNetV2(nn.Sequential):
    """(N, in_channels, H, W) to (N, classes); ``dropout`` stands before the scores.

    Convolutions start by He's rule over the fan out, the last layer uniformly over +-1 / sqrt(classes), as in
    torchvision and for EfficientNet.
    """

    def __init__(self, stages: Stages, dropout: float, *, classes: int, in_channels: int) -> None:
        channels = stages[0][3]
        features = nn.Sequential(ConvNorm(in_channels, channels, 3, 2, style=STYLE))
        total = sum(layers for *_, layers in stages)
        built = 0
        for fused, expansion, stride, out_channels, layers in stages:
            stage = nn.Sequential()
            for index in range(layers):
                step, drop = stride if index == 0 else 1, DROP * built / total
                if fused:
                    stage.append(FusedMBConv(channels, expansion, out_channels, step, drop))
                else:
                    expanded = channels * expansion
                    excite = SqueezeExcite(expanded, channels // 4, nn.SiLU)
                    stage.append(
                        MBConv(
                            channels, expanded, out_channels, 3, step, style=STYLE, excite=excite, drop=drop
                        )
                    )
                channels, built = out_channels, built + 1
            features.append(stage)
        features.append(ConvNorm(channels, HEAD, 1, style=STYLE))
        last = nn.Linear(HEAD, classes)
        super().__init__(
            OrderedDict(
                features=features,
                avgpool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                classifier=nn.Sequential(nn.Dropout(dropout), last),
            )
        )
        he_normal_(self)
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
)


@register(
    _card(
        name="efficientnet_v2_s",
        title="EfficientNet v2-S",
        image_size=(384, 384),
        parameters=21_458_488,
        multiply_adds=8_365_617_152,
        summary="Fused early blocks and a search for training speed.",
        top1=84.228,
        top1_source="torchvision EfficientNet_V2_S_Weights.IMAGENET1K_V1 at 384",
    )
)
def efficientnet_v2_s(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> EfficientNetV2:
    """Dropout 0.2."""
    return EfficientNetV2(SMALL, 0.2, classes=classes, in_channels=in_channels)


@register(
    _card(
        name="efficientnet_v2_m",
        title="EfficientNet v2-M",
        image_size=(480, 480),
        parameters=54_139_356,
        multiply_adds=24_582_460_384,
        summary="EfficientNet v2, medium.",
        top1=85.112,
        top1_source="torchvision EfficientNet_V2_M_Weights.IMAGENET1K_V1 at 480",
    )
)
def efficientnet_v2_m(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> EfficientNetV2:
    """Dropout 0.3."""
    return EfficientNetV2(MEDIUM, 0.3, classes=classes, in_channels=in_channels)


@register(
    _card(
        name="efficientnet_v2_l",
        title="EfficientNet v2-L",
        image_size=(480, 480),
        parameters=118_515_272,
        multiply_adds=56_079_699_008,
        summary="EfficientNet v2, large.",
        top1=85.808,
        top1_source="torchvision EfficientNet_V2_L_Weights.IMAGENET1K_V1 at 480",
    )
)
def efficientnet_v2_l(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> EfficientNetV2:
    """Dropout 0.4."""
    return EfficientNetV2(LARGE, 0.4, classes=classes, in_channels=in_channels)
