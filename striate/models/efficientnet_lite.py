"""EfficientNet-Lite: Renjie Liu et al. 2020, tensorflow/tpu, models/official/efficientnet/lite.

EfficientNet for phones and their accelerators: no squeeze and excitation, ReLU6 instead of SiLU so that
eight bits suffice, and a stem and a head that do not grow. There is no paper of its own. All names are
timm's: with ``tf_`` the authors' networks, which TensorFlow pads and whose batch norm has its epsilon.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from functools import partial

from torch import nn

from striate.layers import (
    DepthwiseSeparable,
    InvertedResidual,
    Style,
    he_normal_,
    make_divisible,
    same_convolution,
)
from striate.models.card import Card
from striate.models.registry import register

STEM, HEAD = 32, 1280
DROP = 0.2  # stochastic depth of the last block; it grows from 0 at the first

# EfficientNet's table 1. The first and the last stage keep one layer at every depth. Shapes at 224x224.
STAGES = (
    # expansion, kernel, stride, channels, layers, deeper
    (1, 3, 1, 16, 1, False),  # 112
    (6, 3, 2, 24, 2, True),  # 56
    (6, 5, 2, 40, 2, True),  # 28
    (6, 3, 2, 80, 3, True),  # 14
    (6, 5, 1, 112, 3, True),  # 14
    (6, 5, 2, 192, 4, True),  # 7
    (6, 3, 1, 320, 1, False),  # 7
)

TORCH = Style(activation=nn.ReLU6)
TENSORFLOW = Style(partial(nn.BatchNorm2d, eps=1e-3), nn.ReLU6, same_convolution)


class EfficientNetLite(nn.Sequential):
    """(N, in_channels, H, W) to (N, classes).

    ``width`` multiplies channels between stem and head, rounded to multiples of 8; ``depth`` multiplies
    layers, rounded up; the network is the same for every ``image_size``. Convolutions start by He's rule over
    the fan out of each group, the last layer uniformly over +-1 / sqrt(classes), as in the authors' code.
    """

    def __init__(
        self,
        width: float,
        depth: float,
        dropout: float,
        style: Style,
        *,
        classes: int,
        in_channels: int,
        image_size: tuple[int, int],
    ) -> None:
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            conv_stem=style.convolution(in_channels, STEM, 3, 2),
            bn1=style.norm(STEM),
            act1=style.activation(),
        )
        counts = [math.ceil(layers * depth) if deeper else layers for *_, layers, deeper in STAGES]
        blocks, channels, built = nn.Sequential(), STEM, 0
        for (expansion, kernel_size, stride, out_channels, *_), count in zip(STAGES, counts, strict=True):
            stage, after = nn.Sequential(), make_divisible(out_channels * width)
            for index in range(count):
                step, drop = stride if index == 0 else 1, DROP * built / sum(counts)
                if expansion == 1:
                    stage.append(
                        DepthwiseSeparable(channels, after, kernel_size, step, style=style, activate=False)
                    )
                else:
                    stage.append(
                        InvertedResidual(
                            channels, after, kernel_size, step, expansion, style=style, drop=drop
                        )
                    )
                channels, built = after, built + 1
            blocks.append(stage)
        last = nn.Linear(HEAD, classes)
        parts |= OrderedDict(
            blocks=blocks,
            conv_head=style.convolution(channels, HEAD, 1),
            bn2=style.norm(HEAD),
            act2=style.activation(),
            global_pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            dropout=nn.Dropout(dropout),
            classifier=last,
        )
        super().__init__(parts)
        he_normal_(self, grouped=True)
        nn.init.uniform_(last.weight, -(classes**-0.5), classes**-0.5)
        nn.init.zeros_(last.bias)


# fmt: off
VARIANTS = (
    # Lite  width depth dropout size parameters  multiply-adds  top-1, of the authors' weights
    (0,     1.0,  1.0,  0.2,    224,  4_652_008,   385_187_552,  75.1),
    (1,     1.0,  1.1,  0.2,    240,  5_416_680,   600_185_232,  76.7),
    (2,     1.1,  1.2,  0.3,    260,  6_092_072,   859_736_272,  77.6),
    (3,     1.2,  1.4,  0.3,    280,  8_197_096, 1_383_321_872,  79.8),
    (4,     1.4,  1.8,  0.3,    300, 13_006_568, 2_553_034_336,  81.5),
)
# fmt: on

ORIGIN = (  # name, title, what differs
    ("efficientnet_lite", "EfficientNet-Lite{}", TORCH),
    ("tf_efficientnet_lite", "EfficientNet-Lite{}, as published", TENSORFLOW),
)

for number, width, depth, dropout, side, parameters, multiply_adds, top1 in VARIANTS:
    for name, title, style in ORIGIN:
        register(
            Card(
                name=f"{name}{number}",
                title=title.format(number),
                year=2020,
                authors="Renjie Liu, Mingxing Tan, Quoc V. Le and others at Google",
                paper="EfficientNet-Lite, the README of tensorflow/tpu models/official/efficientnet/lite",
                doi_or_arxiv=None,
                image_size=(side, side),
                channels=3,
                classes=1000,
                parameters=parameters,
                multiply_adds=multiply_adds,
                summary="EfficientNet for phones: no excitation, ReLU6, a stem and head that do not grow."
                if style is TORCH
                else f"EfficientNet-Lite{number} with TensorFlow's padding and batch norm.",
                top1=top1,
                top1_source="the authors' README, fp32, for the weights with TensorFlow's padding",
            )
        )(partial(EfficientNetLite, width, depth, dropout, style))
