"""GhostNet: Han et al. 2019, "GhostNet: more features from cheap operations", arXiv 1911.11907.

Many maps of a trained network resemble each other; so half of them are made from the other half by a cheap
depthwise convolution. The networks of these names in timm.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import torch
from torch import Tensor, nn

from striate.layers import SqueezeExcite, convolution, make_divisible
from striate.models.card import Card
from striate.models.registry import register

STEM, HEAD = 16, 1280
Row = tuple[int, int, int, bool, int]

# Table 1 of the paper, in the stages by which the names in timm count. Shapes at 224x224, after the stem 112.
STAGES: tuple[tuple[Row, ...], ...] = (
    # kernel, expanded, channels, squeeze and excite, stride
    ((3, 16, 16, False, 1),),  # 112
    ((3, 48, 24, False, 2),),  # 56
    ((3, 72, 24, False, 1),),
    ((5, 72, 40, True, 2),),  # 28
    ((5, 120, 40, True, 1),),
    ((3, 240, 80, False, 2),),  # 14
    (
        (3, 200, 80, False, 1),
        (3, 184, 80, False, 1),
        (3, 184, 80, False, 1),
        (3, 480, 112, True, 1),
        (3, 672, 112, True, 1),
    ),
    ((5, 672, 160, True, 2),),  # 7
    (
        (5, 960, 160, False, 1),
        (5, 960, 160, True, 1),
        (5, 960, 160, False, 1),
        (5, 960, 160, True, 1),
    ),
)


class GhostModule(nn.Module):
    """Half of the channels by a 1x1 convolution, the other half from those by a 3x3 depthwise one.

    (N, in_channels, H, W) to (N, out_channels, H, W), ``out_channels`` even. The paper's ghost module with
    ratio s = 2 and kernel d = 3.
    """

    def __init__(self, in_channels: int, out_channels: int, *, activate: bool) -> None:
        super().__init__()
        half = out_channels // 2
        activation = nn.ReLU if activate else nn.Identity
        self.primary_conv = nn.Sequential(
            convolution(in_channels, half, 1), nn.BatchNorm2d(half), activation()
        )
        self.cheap_operation = nn.Sequential(
            convolution(half, half, 3, groups=half), nn.BatchNorm2d(half), activation()
        )

    def forward(self, x: Tensor) -> Tensor:
        primary = self.primary_conv(x)
        return torch.cat([primary, self.cheap_operation(primary)], dim=1)


class GhostBottleneck(nn.Module):
    """Widen by a ghost module, [depthwise stride, excite], narrow by another: figure 3 of the paper.

    (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride). Where sizes differ the shortcut is a
    depthwise and a 1x1 convolution.
    """

    def __init__(
        self, in_channels: int, expanded: int, out_channels: int, kernel_size: int, stride: int, excited: bool
    ) -> None:
        super().__init__()
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            ghost1=GhostModule(in_channels, expanded, activate=True)
        )
        if stride > 1:
            parts["conv_dw"] = convolution(expanded, expanded, kernel_size, stride, expanded)
            parts["bn_dw"] = nn.BatchNorm2d(expanded)
        if excited:
            squeezed = make_divisible(expanded / 4, 4)
            names = ("conv_reduce", "conv_expand")
            parts["se"] = SqueezeExcite(expanded, squeezed, gate=nn.Hardsigmoid, names=names)
        parts["ghost2"] = GhostModule(expanded, out_channels, activate=False)
        self.path = tuple(parts)
        for name, part in parts.items():
            self.add_module(name, part)
        self.shortcut = nn.Sequential()
        if stride > 1 or in_channels != out_channels:
            self.shortcut.extend(
                [
                    convolution(in_channels, in_channels, kernel_size, stride, in_channels),
                    nn.BatchNorm2d(in_channels),
                    convolution(in_channels, out_channels, 1),
                    nn.BatchNorm2d(out_channels),
                ]
            )

    def forward(self, x: Tensor) -> Tensor:
        result = x
        for name in self.path:
            result = getattr(self, name)(result)
        shortcut: Tensor = self.shortcut(x)
        return result + shortcut


class GhostNet(nn.Sequential):
    """(N, in_channels, H, W) to (N, classes); ``width`` multiplies all channels but the head's.

    Channels are multiples of 4, halves of them even. Weights start as torch's convolutions and linear layers
    do, which is what the authors' PyTorch code leaves them at.
    """

    def __init__(self, width: float, *, classes: int, in_channels: int) -> None:
        channels = make_divisible(STEM * width, 4)
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            conv_stem=convolution(in_channels, channels, 3, 2), bn1=nn.BatchNorm2d(channels), act1=nn.ReLU()
        )
        stages, last = nn.Sequential(), 0
        for rows in STAGES:
            stage = nn.Sequential()
            for kernel_size, expanded, out_channels, excited, stride in rows:
                last, after = make_divisible(expanded * width, 4), make_divisible(out_channels * width, 4)
                stage.append(GhostBottleneck(channels, last, after, kernel_size, stride, excited))
                channels = after
            stages.append(stage)
        widen = OrderedDict(conv=convolution(channels, last, 1), bn1=nn.BatchNorm2d(last), act=nn.ReLU())
        stages.append(nn.Sequential(nn.Sequential(widen)))
        parts |= OrderedDict(
            blocks=stages,
            global_pool=nn.AdaptiveAvgPool2d(1),
            conv_head=nn.Conv2d(last, HEAD, 1),
            act2=nn.ReLU(),
            flatten=nn.Flatten(),
            dropout=nn.Dropout(0.2),
            classifier=nn.Linear(HEAD, classes),
        )
        super().__init__(parts)


_card = partial(
    Card,
    year=2019,
    authors="Kai Han, Yunhe Wang, Qi Tian, Jianyuan Guo, Chunjing Xu, Chang Xu",
    paper="GhostNet: more features from cheap operations",
    doi_or_arxiv="arXiv:1911.11907",
    image_size=(224, 224),
    channels=3,
    classes=1000,
)


@register(
    _card(
        name="ghostnet_050",
        title="GhostNet 0.5x",
        parameters=2_587_292,
        multiply_adds=42_328_152,
        summary="GhostNet with half of the channels.",
    )
)
def ghostnet_050(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> GhostNet:
    """Width 0.5."""
    return GhostNet(0.5, classes=classes, in_channels=in_channels)


@register(
    _card(
        name="ghostnet_100",
        title="GhostNet 1.0x",
        parameters=5_182_508,
        multiply_adds=141_150_512,
        summary="Half of the maps are made from the others by a cheap depthwise convolution.",
        top1=73.958,
        top1_source="timm results, ghostnet_100.in1k at 224",
    )
)
def ghostnet_100(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> GhostNet:
    """Width 1."""
    return GhostNet(1.0, classes=classes, in_channels=in_channels)


@register(
    _card(
        name="ghostnet_130",
        title="GhostNet 1.3x",
        parameters=7_358_820,
        multiply_adds=227_003_256,
        summary="GhostNet with 1.3 times the channels.",
    )
)
def ghostnet_130(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> GhostNet:
    """Width 1.3."""
    return GhostNet(1.3, classes=classes, in_channels=in_channels)
