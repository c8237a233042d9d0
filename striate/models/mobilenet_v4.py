"""MobileNet v4, its convolutional networks: Qin et al. 2024, "MobileNetV4: universal models for the mobile
ecosystem", arXiv 2404.10518.

One block with two optional depthwise convolutions covers the inverted residual, ConvNeXt's block and a plain
feed-forward layer; a search chose among them. The networks of these names in timm.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from striate.layers import EdgeResidual, Residual, Style, he_normal_
from striate.models.card import Card
from striate.models.registry import register

HEAD = 1280
STYLE = Style()


class Convolution(nn.Sequential):
    """Convolution, norm, activation under timm's names: (N, in_channels, H, W) to (N, out_channels, ...)."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int) -> None:
        super().__init__(
            OrderedDict(
                conv=STYLE.convolution(in_channels, out_channels, kernel_size, stride),
                bn1=STYLE.norm(out_channels),
                act=STYLE.activation(),
            )
        )


def unit(
    in_channels: int, out_channels: int, kernel_size: int, stride: int, groups: int, *, activate: bool
) -> nn.Sequential:
    """A part of the universal block: convolution, norm and, where wanted, activation."""
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        conv=STYLE.convolution(in_channels, out_channels, kernel_size, stride, groups),
        bn=STYLE.norm(out_channels),
    )
    if activate:
        parts["act"] = STYLE.activation()
    return nn.Sequential(parts)


class UniversalInvertedBottleneck(Residual):
    """[Depthwise], widen, [depthwise], narrow: (N, in_channels, H, W) to (N, out_channels, H / stride, ...).

    Figure 4 of the paper. ``first`` and ``second`` are the kernels of the two depthwise convolutions, 0 for
    none: with neither it is a feed-forward layer (the paper's FFN), with the first ConvNeXt's block, with the
    second the inverted residual (IB), with both ExtraDW. The second takes the stride if it is there.
    """

    def __init__(
        self, in_channels: int, out_channels: int, first: int, second: int, stride: int, expansion: int
    ) -> None:
        expanded = in_channels * expansion
        parts: dict[str, nn.Module] = {}
        if first:
            parts["dw_start"] = unit(
                in_channels, in_channels, first, 1 if second else stride, in_channels, activate=False
            )
        parts["pw_exp"] = unit(in_channels, expanded, 1, 1, 1, activate=True)
        if second:
            parts["dw_mid"] = unit(expanded, expanded, second, stride, expanded, activate=True)
        parts["pw_proj"] = unit(expanded, out_channels, 1, 1, 1, activate=False)
        super().__init__(parts, skip=stride == 1 and in_channels == out_channels)


Row = tuple[str, int, int, int, int, int, int]
Stages = tuple[tuple[Row, ...], ...]

# The tables of the paper's appendix, in the stages by which the names in timm count. "conv" and "fused" rows
# have one kernel, in the column of the first. Shapes at 224x224, after the stem 112.
SMALL: Stages = (
    # block, first kernel, second kernel, stride, expansion, channels, times
    (("conv", 3, 0, 2, 1, 32, 1), ("conv", 1, 0, 1, 1, 32, 1)),  # 56
    (("conv", 3, 0, 2, 1, 96, 1), ("conv", 1, 0, 1, 1, 64, 1)),  # 28
    (
        ("universal", 5, 5, 2, 3, 96, 1),  # 14
        ("universal", 0, 3, 1, 2, 96, 4),
        ("universal", 3, 0, 1, 4, 96, 1),
    ),
    (
        ("universal", 3, 3, 2, 6, 128, 1),  # 7
        ("universal", 5, 5, 1, 4, 128, 1),
        ("universal", 0, 5, 1, 4, 128, 1),
        ("universal", 0, 5, 1, 3, 128, 1),
        ("universal", 0, 3, 1, 4, 128, 2),
    ),
    (("conv", 1, 0, 1, 1, 960, 1),),
)

MEDIUM: Stages = (
    # block, first kernel, second kernel, stride, expansion, channels, times
    (("fused", 3, 0, 2, 4, 48, 1),),  # 56
    (("universal", 3, 5, 2, 4, 80, 1), ("universal", 3, 3, 1, 2, 80, 1)),  # 28
    (
        ("universal", 3, 5, 2, 6, 160, 1),  # 14
        ("universal", 3, 3, 1, 4, 160, 2),
        ("universal", 3, 5, 1, 4, 160, 1),
        ("universal", 3, 3, 1, 4, 160, 1),
        ("universal", 3, 0, 1, 4, 160, 1),
        ("universal", 0, 0, 1, 2, 160, 1),
        ("universal", 3, 0, 1, 4, 160, 1),
    ),
    (
        ("universal", 5, 5, 2, 6, 256, 1),  # 7
        ("universal", 5, 5, 1, 4, 256, 1),
        ("universal", 3, 5, 1, 4, 256, 2),
        ("universal", 0, 0, 1, 4, 256, 1),
        ("universal", 3, 0, 1, 4, 256, 1),
        ("universal", 3, 5, 1, 2, 256, 1),
        ("universal", 5, 5, 1, 4, 256, 1),
        ("universal", 0, 0, 1, 4, 256, 2),
        ("universal", 5, 0, 1, 2, 256, 1),
    ),
    (("conv", 1, 0, 1, 1, 960, 1),),
)

LARGE: Stages = (
    # block, first kernel, second kernel, stride, expansion, channels, times
    (("fused", 3, 0, 2, 4, 48, 1),),  # 56
    (("universal", 3, 5, 2, 4, 96, 1), ("universal", 3, 3, 1, 4, 96, 1)),  # 28
    (
        ("universal", 3, 5, 2, 4, 192, 1),  # 14
        ("universal", 3, 3, 1, 4, 192, 3),
        ("universal", 3, 5, 1, 4, 192, 1),
        ("universal", 5, 3, 1, 4, 192, 5),
        ("universal", 3, 0, 1, 4, 192, 1),
    ),
    (
        ("universal", 5, 5, 2, 4, 512, 1),  # 7
        ("universal", 5, 5, 1, 4, 512, 3),
        ("universal", 5, 0, 1, 4, 512, 1),
        ("universal", 5, 3, 1, 4, 512, 1),
        ("universal", 5, 0, 1, 4, 512, 2),
        ("universal", 5, 3, 1, 4, 512, 1),
        ("universal", 5, 5, 1, 4, 512, 1),
        ("universal", 5, 0, 1, 4, 512, 3),
    ),
    (("conv", 1, 0, 1, 1, 960, 1),),
)


def block(in_channels: int, row: Row) -> nn.Module:
    """The block that a row of the tables describes."""
    kind, first, second, stride, expansion, channels, _ = row
    if kind == "conv":
        return Convolution(in_channels, channels, first, stride)
    if kind == "fused":
        return EdgeResidual(in_channels, channels, first, stride, expansion, style=STYLE)
    return UniversalInvertedBottleneck(in_channels, channels, first, second, stride, expansion)


class MobileNetV4(nn.Sequential):
    """(N, in_channels, H, W) to (N, classes).

    The head's convolution, its norm too, works after the pool. Weights start as in the authors' TensorFlow
    code and timm: convolutions by He's rule over the fan out, the last layer uniformly over
    +-1 / sqrt(classes).
    """

    def __init__(self, stem: int, stages: Stages, *, classes: int, in_channels: int) -> None:
        blocks, channels = nn.Sequential(), stem
        for rows in stages:
            stage = nn.Sequential()
            for row in rows:
                *_, out_channels, times = row
                for _ in range(times):
                    stage.append(block(channels, row))
                    channels = out_channels
            blocks.append(stage)
        last = nn.Linear(HEAD, classes)
        super().__init__(
            OrderedDict(
                conv_stem=STYLE.convolution(in_channels, stem, 3, 2),
                bn1=STYLE.norm(stem),
                act1=STYLE.activation(),
                blocks=blocks,
                global_pool=nn.AdaptiveAvgPool2d(1),
                conv_head=STYLE.convolution(channels, HEAD, 1),
                norm_head=STYLE.norm(HEAD),
                act2=STYLE.activation(),
                flatten=nn.Flatten(),
                dropout=nn.Dropout(0.2),
                classifier=last,
            )
        )
        he_normal_(self, grouped=True)
        nn.init.uniform_(last.weight, -(classes**-0.5), classes**-0.5)
        nn.init.zeros_(last.bias)


_card = partial(
    Card,
    year=2024,
    authors="Danfeng Qin, Chas Leichner, Manolis Delakis, Marco Fornoni, Shixin Luo, Fan Yang, Weijun Wang, "
    "Colby Banbury, Chengxi Ye, Berkin Akin, Vaibhav Aggarwal, Tenghui Zhu, Daniele Moro, Andrew Howard",
    paper="MobileNetV4: universal models for the mobile ecosystem",
    doi_or_arxiv="arXiv:2404.10518",
    channels=3,
    classes=1000,
    notes=("A batch norm works on the pooled maps, one value a map: training needs batches of two or more.",),
)


@register(
    _card(
        name="mobilenetv4_conv_small",
        title="MobileNet v4 Conv-S",
        image_size=(224, 224),
        parameters=3_774_024,
        multiply_adds=186_005_568,
        summary="One universal block, chosen per layer for phones, accelerators and CPUs alike.",
        top1=73.756,
        top1_source="timm results, mobilenetv4_conv_small.e2400_r224_in1k at 224",
    )
)
def mobilenetv4_conv_small(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> MobileNetV4:
    """Stem of 32 channels."""
    return MobileNetV4(32, SMALL, classes=classes, in_channels=in_channels)


@register(
    _card(
        name="mobilenetv4_conv_medium",
        title="MobileNet v4 Conv-M",
        image_size=(256, 256),
        parameters=9_715_512,
        multiply_adds=1_080_244_224,
        summary="The middle one of MobileNet v4's convolutional networks.",
        top1=79.916,
        top1_source="timm results, mobilenetv4_conv_medium.e500_r256_in1k at 256",
    )
)
def mobilenetv4_conv_medium(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> MobileNetV4:
    """Stem of 32 channels."""
    return MobileNetV4(32, MEDIUM, classes=classes, in_channels=in_channels)


@register(
    _card(
        name="mobilenetv4_conv_large",
        title="MobileNet v4 Conv-L",
        image_size=(256, 256),
        parameters=32_590_864,
        multiply_adds=2_835_269_632,
        summary="The largest of MobileNet v4's convolutional networks.",
        top1=82.974,
        top1_source="timm results, mobilenetv4_conv_large.e600_r384_in1k at 384",
    )
)
def mobilenetv4_conv_large(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> MobileNetV4:
    """Stem of 24 channels."""
    return MobileNetV4(24, LARGE, classes=classes, in_channels=in_channels)
