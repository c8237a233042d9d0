"""EfficientNet: Tan and Le 2019, "Rethinking model scaling for convolutional networks", arXiv 1905.11946.

B0 was found by search; B1 to B7 make it wider, deeper and its images larger together. The networks of these
names in torchvision, and the image sizes at which torchvision evaluates them.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from functools import partial

from torch import nn

from striate.layers import ConvNorm, MBConv, SqueezeExcite, Style, he_normal_, make_divisible
from striate.models.card import Card
from striate.models.registry import register

STEM = 32
DROP = 0.2  # stochastic depth of the last block; it grows from 0 at the first (the authors' code)

# Table 1 of the paper. Shapes of B0 at 224x224.
STAGES = (
    # expansion, kernel, stride, channels, layers
    (1, 3, 1, 16, 1),  # 112
    (6, 3, 2, 24, 2),  # 56
    (6, 5, 2, 40, 2),  # 28
    (6, 3, 2, 80, 3),  # 14
    (6, 5, 1, 112, 3),  # 14
    (6, 5, 2, 192, 4),  # 7
    (6, 3, 1, 320, 1),  # 7
)

STYLE = Style(activation=nn.SiLU)
# torchvision's B5 to B7 hold weights that came from TensorFlow, and with them TensorFlow's batch norm.
STYLE_TENSORFLOW = Style(partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01), nn.SiLU)


class EfficientNet(nn.Sequential):
    """(N, in_channels, H, W) to (N, classes).

    ``width`` multiplies channels, rounded to multiples of 8; ``depth`` multiplies layers, rounded up.
    ``dropout`` stands before the scores; ``stem_stride`` is 1 for small images. Convolutions start by He's
    rule over the fan out, the last layer uniformly over +-1 / sqrt(classes), as in the authors' code.
    """

    def __init__(
        self,
        width: float,
        depth: float,
        dropout: float,
        style: Style = STYLE,
        stem_stride: int = 2,
        *,
        classes: int,
        in_channels: int,
    ) -> None:
        channels = make_divisible(STEM * width)
        features = nn.Sequential(ConvNorm(in_channels, channels, 3, stem_stride, style=style))
        total = sum(math.ceil(layers * depth) for *_, layers in STAGES)
        built = 0
        for expansion, kernel_size, stride, out_channels, layers in STAGES:
            stage = nn.Sequential()
            for index in range(math.ceil(layers * depth)):
                after, expanded = make_divisible(out_channels * width), channels * expansion
                stage.append(
                    MBConv(
                        channels,
                        expanded,
                        after,
                        kernel_size,
                        stride if index == 0 else 1,
                        style=style,
                        excite=SqueezeExcite(expanded, channels // 4, nn.SiLU),
                        drop=DROP * built / total,
                    )
                )
                channels, built = after, built + 1
            features.append(stage)
        features.append(ConvNorm(channels, 4 * channels, 1, style=style))
        last = nn.Linear(4 * channels, classes)
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
    year=2019,
    authors="Mingxing Tan, Quoc V. Le",
    paper="EfficientNet: rethinking model scaling for convolutional neural networks",
    doi_or_arxiv="arXiv:1905.11946",
    channels=3,
)
_imagenet = partial(_card, classes=1000)


@register(
    _imagenet(
        name="efficientnet_b0",
        title="EfficientNet-B0",
        image_size=(224, 224),
        parameters=5_288_548,
        multiply_adds=385_814_752,
        summary="Width, depth and image size grow together, from a network found by search.",
        top1=77.692,
        top1_source="torchvision EfficientNet_B0_Weights.IMAGENET1K_V1 at 224",
    )
)
def efficientnet_b0(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> EfficientNet:
    """Width 1.0, depth 1.0, dropout 0.2."""
    return EfficientNet(1.0, 1.0, 0.2, classes=classes, in_channels=in_channels)


@register(
    _imagenet(
        name="efficientnet_b1",
        title="EfficientNet-B1",
        image_size=(240, 240),
        parameters=7_794_184,
        multiply_adds=686_802_832,
        summary="B0 made 1.0 times as wide and 1.1 times as deep, on images of 240 pixels.",
        top1=78.642,
        top1_source="torchvision EfficientNet_B1_Weights.IMAGENET1K_V1 at 240",
    )
)
def efficientnet_b1(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> EfficientNet:
    """Width 1.0, depth 1.1, dropout 0.2."""
    return EfficientNet(1.0, 1.1, 0.2, classes=classes, in_channels=in_channels)


@register(
    _imagenet(
        name="efficientnet_b2",
        title="EfficientNet-B2",
        image_size=(288, 288),
        parameters=9_109_994,
        multiply_adds=1_087_529_456,
        summary="B0 made 1.1 times as wide and 1.2 times as deep, on images of 288 pixels.",
        top1=80.608,
        top1_source="torchvision EfficientNet_B2_Weights.IMAGENET1K_V1 at 288",
        notes=("torchvision evaluates at 288 pixels; the paper has 260.",),
    )
)
def efficientnet_b2(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> EfficientNet:
    """Width 1.1, depth 1.2, dropout 0.3."""
    return EfficientNet(1.1, 1.2, 0.3, classes=classes, in_channels=in_channels)


@register(
    _imagenet(
        name="efficientnet_b3",
        title="EfficientNet-B3",
        image_size=(300, 300),
        parameters=12_233_232,
        multiply_adds=1_827_141_392,
        summary="B0 made 1.2 times as wide and 1.4 times as deep, on images of 300 pixels.",
        top1=82.008,
        top1_source="torchvision EfficientNet_B3_Weights.IMAGENET1K_V1 at 300",
    )
)
def efficientnet_b3(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> EfficientNet:
    """Width 1.2, depth 1.4, dropout 0.3."""
    return EfficientNet(1.2, 1.4, 0.3, classes=classes, in_channels=in_channels)


@register(
    _imagenet(
        name="efficientnet_b4",
        title="EfficientNet-B4",
        image_size=(380, 380),
        parameters=19_341_616,
        multiply_adds=4_393_771_024,
        summary="B0 made 1.4 times as wide and 1.8 times as deep, on images of 380 pixels.",
        top1=83.384,
        top1_source="torchvision EfficientNet_B4_Weights.IMAGENET1K_V1 at 380",
    )
)
def efficientnet_b4(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> EfficientNet:
    """Width 1.4, depth 1.8, dropout 0.4."""
    return EfficientNet(1.4, 1.8, 0.4, classes=classes, in_channels=in_channels)


@register(
    _imagenet(
        name="efficientnet_b5",
        title="EfficientNet-B5",
        image_size=(456, 456),
        parameters=30_389_784,
        multiply_adds=10_266_384_752,
        summary="B0 made 1.6 times as wide and 2.2 times as deep, on images of 456 pixels.",
        top1=83.444,
        top1_source="torchvision EfficientNet_B5_Weights.IMAGENET1K_V1 at 456",
        notes=("Batch norm with TensorFlow's epsilon and momentum, as torchvision.",),
    )
)
def efficientnet_b5(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> EfficientNet:
    """Width 1.6, depth 2.2, dropout 0.4."""
    return EfficientNet(1.6, 2.2, 0.4, STYLE_TENSORFLOW, classes=classes, in_channels=in_channels)


@register(
    _imagenet(
        name="efficientnet_b6",
        title="EfficientNet-B6",
        image_size=(528, 528),
        parameters=43_040_704,
        multiply_adds=19_067_593_536,
        summary="B0 made 1.8 times as wide and 2.6 times as deep, on images of 528 pixels.",
        top1=84.008,
        top1_source="torchvision EfficientNet_B6_Weights.IMAGENET1K_V1 at 528",
        notes=("Batch norm with TensorFlow's epsilon and momentum, as torchvision.",),
    )
)
def efficientnet_b6(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> EfficientNet:
    """Width 1.8, depth 2.6, dropout 0.5."""
    return EfficientNet(1.8, 2.6, 0.5, STYLE_TENSORFLOW, classes=classes, in_channels=in_channels)


@register(
    _imagenet(
        name="efficientnet_b7",
        title="EfficientNet-B7",
        image_size=(600, 600),
        parameters=66_347_960,
        multiply_adds=37_745_884_192,
        summary="B0 made 2.0 times as wide and 3.1 times as deep, on images of 600 pixels.",
        top1=84.122,
        top1_source="torchvision EfficientNet_B7_Weights.IMAGENET1K_V1 at 600",
        notes=("Batch norm with TensorFlow's epsilon and momentum, as torchvision.",),
    )
)
def efficientnet_b7(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> EfficientNet:
    """Width 2.0, depth 3.1, dropout 0.5."""
    return EfficientNet(2.0, 3.1, 0.5, STYLE_TENSORFLOW, classes=classes, in_channels=in_channels)


@register(
    _card(
        name="efficientnet_b0_cifar",
        title="EfficientNet-B0 for 32x32 images",
        image_size=(32, 32),
        classes=10,
        parameters=4_020_358,
        multiply_adds=31_979_392,
        summary="EfficientNet-B0 with a stem of stride 1.",
        notes=("The strides are those of Kuang Liu, https://github.com/kuangliu/pytorch-cifar.",),
        deliberate=(("idle-taps", "5x5 kernels as at 224x224, on the 2x2 maps that 32x32 leaves."),),
    )
)
def efficientnet_b0_cifar(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> EfficientNet:
    """Width 1, depth 1, dropout 0.2; the last map of a 32x32 image is 2x2."""
    return EfficientNet(1.0, 1.0, 0.2, stem_stride=1, classes=classes, in_channels=in_channels)
