"""MobileNet v3: Howard et al. 2019, "Searching for MobileNetV3", arXiv 1905.02244.

Found by search over inverted residuals with squeeze and excitation, then thinned at both ends by hand; the
costly last convolution works after the pool. The networks of these names in torchvision.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from striate.layers import ConvNorm, MBConv, SqueezeExcite, Style, he_normal_, make_divisible
from striate.models.card import Card
from striate.models.registry import register

STEM = 16
NORM = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)  # TensorFlow's defaults, which the authors used
STYLES = {"RE": Style(NORM, nn.ReLU), "HS": Style(NORM, nn.Hardswish)}

Row = tuple[int, int, int, bool, str, int]

# Table 1 of the paper. Shapes at 224x224, after the stem 112.
LARGE: tuple[Row, ...] = (
    # kernel, expanded, channels, squeeze and excite, activation, stride
    (3, 16, 16, False, "RE", 1),  # 112
    (3, 64, 24, False, "RE", 2),  # 56
    (3, 72, 24, False, "RE", 1),
    (5, 72, 40, True, "RE", 2),  # 28
    (5, 120, 40, True, "RE", 1),
    (5, 120, 40, True, "RE", 1),
    (3, 240, 80, False, "HS", 2),  # 14
    (3, 200, 80, False, "HS", 1),
    (3, 184, 80, False, "HS", 1),
    (3, 184, 80, False, "HS", 1),
    (3, 480, 112, True, "HS", 1),
    (3, 672, 112, True, "HS", 1),
    (5, 672, 160, True, "HS", 2),  # 7
    (5, 960, 160, True, "HS", 1),
    (5, 960, 160, True, "HS", 1),
)

# Table 2 of the paper.
SMALL: tuple[Row, ...] = (
    # kernel, expanded, channels, squeeze and excite, activation, stride
    (3, 16, 16, True, "RE", 2),  # 56
    (3, 72, 24, False, "RE", 2),  # 28
    (3, 88, 24, False, "RE", 1),
    (5, 96, 40, True, "HS", 2),  # 14
    (5, 240, 40, True, "HS", 1),
    (5, 240, 40, True, "HS", 1),
    (5, 120, 48, True, "HS", 1),
    (5, 144, 48, True, "HS", 1),
    (5, 288, 96, True, "HS", 2),  # 7
    (5, 576, 96, True, "HS", 1),
    (5, 576, 96, True, "HS", 1),
)


class MobileNetV3(nn.Sequential):
    """(N, in_channels, H, W) to (N, classes); ``hidden`` units between pool and scores.

    The excitation squeezes to a quarter of the expanded maps (section 5.3). Convolutions start by He's rule
    over the fan out, linear layers with deviation 0.01: torchvision's code, as the paper does not say.
    """

    def __init__(self, rows: tuple[Row, ...], hidden: int, *, classes: int, in_channels: int) -> None:
        features = nn.Sequential(ConvNorm(in_channels, STEM, 3, 2, style=STYLES["HS"]))
        channels = STEM
        for kernel_size, expanded, out_channels, excited, activation, stride in rows:
            excite = None
            if excited:
                excite = SqueezeExcite(expanded, make_divisible(expanded // 4), gate=nn.Hardsigmoid)
            style = STYLES[activation]
            features.append(
                MBConv(channels, expanded, out_channels, kernel_size, stride, style=style, excite=excite)
            )
            channels = out_channels
        features.append(ConvNorm(channels, 6 * channels, 1, style=STYLES["HS"]))
        super().__init__(
            OrderedDict(
                features=features,
                avgpool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                classifier=nn.Sequential(
                    nn.Linear(6 * channels, hidden),
                    nn.Hardswish(),
                    nn.Dropout(0.2),
                    nn.Linear(hidden, classes),
                ),
            )
        )
        he_normal_(self)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, 0, 0.01)
                nn.init.zeros_(layer.bias)


_card = partial(
    Card,
    year=2019,
    authors="Andrew Howard, Mark Sandler, Grace Chu, Liang-Chieh Chen, Bo Chen, Mingxing Tan, Weijun Wang, "
    "Yukun Zhu, Ruoming Pang, Vijay Vasudevan, Quoc V. Le, Hartwig Adam",
    paper="Searching for MobileNetV3",
    doi_or_arxiv="arXiv:1905.02244",
    image_size=(224, 224),
    channels=3,
    classes=1000,
)


@register(
    _card(
        name="mobilenet_v3_large",
        title="MobileNet v3 Large",
        parameters=5_483_032,
        multiply_adds=216_589_760,
        summary="Searched and hand-trimmed, with hard swish and a head behind the pool.",
        top1=74.042,
        top1_source="torchvision MobileNet_V3_Large_Weights.IMAGENET1K_V1; the paper has 75.2",
    )
)
def mobilenet_v3_large(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> MobileNetV3:
    """Table 1."""
    return MobileNetV3(LARGE, 1280, classes=classes, in_channels=in_channels)


@register(
    _card(
        name="mobilenet_v3_small",
        title="MobileNet v3 Small",
        parameters=2_542_856,
        multiply_adds=56_510_400,
        summary="MobileNet v3 for a quarter of the work.",
        top1=67.668,
        top1_source="torchvision MobileNet_V3_Small_Weights.IMAGENET1K_V1; the paper has 67.4",
        notes=("1,024 units before the scores, as in the paper's table 2; other libraries differ there.",),
        deliberate=(
            ("missing-activation", "The linear bottleneck of the first block, which does not expand."),
        ),
    )
)
def mobilenet_v3_small(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> MobileNetV3:
    """Table 2."""
    return MobileNetV3(SMALL, 1024, classes=classes, in_channels=in_channels)
