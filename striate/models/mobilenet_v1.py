"""MobileNet v1: Howard et al. 2017, "MobileNets: efficient convolutional neural networks", arXiv 1704.04861.

A convolution in two steps, depthwise and 1x1, thirteen times over. Names are those of timm's
mobilenetv1_100, whose weights fit; it is also the source of the batch norm's numbers.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from striate.layers import DepthwiseSeparable, Style, make_divisible
from striate.models.card import Card
from striate.models.registry import register

STEM = 32

# Table 1 of the paper: blocks of equal width stand in one row. Shapes at 224x224.
STAGES = (
    # channels, blocks, stride of the first
    (64, 1, 1),  # 112
    (128, 2, 2),  # 56
    (256, 2, 2),  # 28
    (512, 6, 2),  # 14
    (1024, 2, 2),  # 7; the table's last row says stride 2 at 7x7, a slip: the map stays 7x7
)

# The paper draws ReLU (figure 3); the authors' code in TensorFlow Slim has ReLU6, and so has timm.
STYLE = Style(activation=nn.ReLU6)


class MobileNetV1(nn.Sequential):
    """(N, in_channels, H, W) to (N, classes); ``width`` is the paper's multiplier alpha.

    ``stem_stride`` is 2 in the paper and 1 for small images. Widths are rounded to multiples of 8. Weights
    start from a normal distribution of deviation 0.09 cut at twice that, as in the authors' code
    (mobilenet_v1_arg_scope); the paper does not say.
    """

    def __init__(self, width: float, stem_stride: int = 2, *, classes: int, in_channels: int) -> None:
        channels = make_divisible(STEM * width)
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            conv_stem=STYLE.convolution(in_channels, channels, 3, stem_stride),
            bn1=STYLE.norm(channels),
            act1=STYLE.activation(),
        )
        stages = nn.Sequential()
        for out_channels, blocks, stride in STAGES:
            stage = nn.Sequential()
            for index in range(blocks):
                after = make_divisible(out_channels * width)
                step = stride if index == 0 else 1
                stage.append(DepthwiseSeparable(channels, after, 3, step, style=STYLE, activate=True))
                channels = after
            stages.append(stage)
        last = nn.Linear(channels, classes)
        parts |= OrderedDict(
            blocks=stages,
            global_pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            classifier=last,
        )
        super().__init__(parts)
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(layer.weight, std=0.09, a=-0.18, b=0.18)
        nn.init.zeros_(last.bias)


_card = partial(
    Card,
    year=2017,
    authors="Andrew G. Howard, Menglong Zhu, Bo Chen, Dmitry Kalenichenko, Weijun Wang, Tobias Weyand, "
    "Marco Andreetto, Hartwig Adam",
    paper="MobileNets: efficient convolutional neural networks for mobile vision applications",
    doi_or_arxiv="arXiv:1704.04861",
    channels=3,
)
_imagenet = partial(
    _card,
    image_size=(224, 224),
    classes=1000,
    receptive_field=315,  # the table of google-research/receptive_field
    top1_source="the MobileNetV1 row of the table in megvii-model/ShuffleNet-Series, 100 - error",
    notes=(
        "ReLU6 as in the authors' code, where the paper says ReLU.",
        "Batch norm with an epsilon of 1e-5, as timm's mobilenetv1_100; TensorFlow Slim has 1e-3.",
    ),
)


@register(
    _imagenet(
        name="mobilenet_v1",
        title="MobileNet v1",
        parameters=4_231_976,
        multiply_adds=568_740_352,
        top1=70.6,
        summary="Convolutions split into space and channels: an eighth to a ninth of the work.",
    )
)
def mobilenet_v1(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> MobileNetV1:
    """Width 1."""
    return MobileNetV1(1.0, classes=classes, in_channels=in_channels)


@register(
    _imagenet(
        name="mobilenet_v1_075",
        title="MobileNet v1, width 0.75",
        parameters=2_585_560,
        multiply_adds=325_400_448,
        top1=68.4,
        summary="MobileNet v1 with three quarters of the channels.",
    )
)
def mobilenet_v1_075(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> MobileNetV1:
    """Width 0.75."""
    return MobileNetV1(0.75, classes=classes, in_channels=in_channels)


@register(
    _imagenet(
        name="mobilenet_v1_050",
        title="MobileNet v1, width 0.5",
        parameters=1_331_592,
        multiply_adds=149_497_088,
        top1=63.7,
        summary="MobileNet v1 with half of the channels.",
    )
)
def mobilenet_v1_050(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> MobileNetV1:
    """Width 0.5."""
    return MobileNetV1(0.5, classes=classes, in_channels=in_channels)


@register(
    _imagenet(
        name="mobilenet_v1_025",
        title="MobileNet v1, width 0.25",
        parameters=470_072,
        multiply_adds=41_030_272,
        top1=50.6,
        summary="MobileNet v1 with a quarter of the channels.",
    )
)
def mobilenet_v1_025(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> MobileNetV1:
    """Width 0.25."""
    return MobileNetV1(0.25, classes=classes, in_channels=in_channels)


@register(
    _card(
        name="mobilenet_v1_cifar",
        title="MobileNet v1 for 32x32 images",
        image_size=(32, 32),
        classes=10,
        parameters=3_217_226,
        multiply_adds=46_354_432,
        summary="MobileNet v1 with a stem of stride 1.",
        notes=("The strides are those of Kuang Liu, https://github.com/kuangliu/pytorch-cifar.",),
    )
)
def mobilenet_v1_cifar(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> MobileNetV1:
    """Width 1; the last map of a 32x32 image is 2x2."""
    return MobileNetV1(1.0, stem_stride=1, classes=classes, in_channels=in_channels)
