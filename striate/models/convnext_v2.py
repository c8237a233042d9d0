"""ConvNeXt V2: Woo, Debnath, Hu, Chen, Liu, Kweon, Xie, "ConvNeXt V2", 2023, arXiv 2301.00808.

Inside each block a global response norm makes the channels compete, and layer scale is gone. The smallest
width, "atto", comes from this paper too. timm's networks and names, and its ``convnext_atto``, which has the
first version's blocks at that width. Shapes of convnextv2_tiny as of convnext_tiny in ``convnext``.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import torch
from torch import Tensor, nn

from striate.layers import GlobalResponseNorm, LayerNorm2d
from striate.models.card import Card
from striate.models.convnext import EPSILON, LAYER_SCALE, start_narrow_
from striate.models.registry import register

AUTHORS = "Sanghyun Woo, Shoubhik Debnath, Ronghang Hu, Xinlei Chen, Zhuang Liu, In So Kweon, Saining Xie"


class Block(nn.Module):
    """(N, channels, H, W) to the same: 7x7 depthwise, norm, four times as wide, GELU, back; added.

    ``version`` 2 has the global response norm, 1 a layer scale. ``convolutions`` says that the two layers
    over the channels are 1x1 convolutions instead of linear layers with the channels last: timm's small
    networks. The function is the same, the shapes of the weights are not.
    """

    def __init__(self, channels: int, version: int, *, convolutions: bool) -> None:
        super().__init__()
        wide = 4 * channels
        self.convolutions = convolutions
        self.conv_dw = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        mlp = OrderedDict[str, nn.Module]()
        if convolutions:
            self.norm: nn.Module = LayerNorm2d(channels, EPSILON)
            mlp["fc1"], mlp["act"] = nn.Conv2d(channels, wide, 1), nn.GELU()
        else:
            self.norm = nn.LayerNorm(channels, EPSILON)
            mlp["fc1"], mlp["act"] = nn.Linear(channels, wide), nn.GELU()
        if version == 2:
            mlp["grn"] = GlobalResponseNorm(wide, dim=1 if convolutions else -1)
        mlp["fc2"] = nn.Conv2d(wide, channels, 1) if convolutions else nn.Linear(wide, channels)
        self.mlp = nn.Sequential(mlp)
        self.gamma = nn.Parameter(torch.full((channels,), LAYER_SCALE)) if version == 1 else None

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.conv_dw(x)
        if self.convolutions:
            change = self.mlp(self.norm(change))
        else:
            change = self.mlp(self.norm(change.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        if self.gamma is not None:
            change = change * self.gamma.view(-1, 1, 1)
        return x + change


class Stage(nn.Module):
    """``count`` blocks behind a halving of the map; the first stage has none, the stem has done it."""

    def __init__(
        self, before: int, width: int, count: int, version: int, *, halve: bool, convolutions: bool
    ) -> None:
        super().__init__()
        self.downsample = nn.Sequential()
        if halve:
            self.downsample.extend([LayerNorm2d(before, EPSILON), nn.Conv2d(before, width, 2, 2)])
        self.blocks = nn.Sequential(*(Block(width, version, convolutions=convolutions) for _ in range(count)))

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.blocks(self.downsample(x))
        return maps


class ConvNeXtV2(nn.Module):
    """(N, in_channels, H, W) to (N, classes); the same network for every ``image_size``."""

    def __init__(
        self,
        version: int,
        widths: tuple[int, int, int, int],
        blocks: tuple[int, int, int, int],
        *,
        classes: int,
        in_channels: int,
        image_size: tuple[int, int],
    ) -> None:
        super().__init__()
        small = widths[0] < 96  # the networks below "tiny"
        self.stem = nn.Sequential(nn.Conv2d(in_channels, widths[0], 4, 4), LayerNorm2d(widths[0], EPSILON))
        befores = (widths[0], *widths[:-1])
        self.stages = nn.Sequential(
            *(
                Stage(before, width, count, version, halve=index > 0, convolutions=small)
                for index, (before, width, count) in enumerate(zip(befores, widths, blocks, strict=True))
            )
        )
        self.head = nn.Sequential(
            OrderedDict(
                global_pool=nn.AdaptiveAvgPool2d(1),
                norm=LayerNorm2d(widths[-1], EPSILON),
                flatten=nn.Flatten(),
                fc=nn.Linear(widths[-1], classes),
            )
        )
        start_narrow_(self)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.stages(self.stem(x)))
        return scores


# fmt: off
NETWORKS = (  # the paper's appendix
    # name            version  widths of stages 1-4   blocks       parameters  multiply-adds   top-1
    ("convnext_atto",     1, (40, 80, 160, 320),    (2, 2, 6, 2),   3_695_520,   547_332_480, 75.672),
    ("convnextv2_atto",   2, (40, 80, 160, 320),    (2, 2, 6, 2),   3_708_400,   547_332_480, None),
    ("convnextv2_tiny",   2, (96, 192, 384, 768),   (3, 3, 9, 3),  28_635_496, 4_455_531_264, 82.948),
)
# fmt: on
WEIGHTS = {"convnext_atto": "convnext_atto.d2_in1k", "convnextv2_tiny": "convnextv2_tiny.fcmae_ft_in1k"}

for name, version, widths, blocks, parameters, multiply_adds, top1 in NETWORKS:
    kind, _, size = name.partition("_")
    register(
        Card(
            name=name,
            title=f"ConvNeXt{' V2' if version == 2 else ''}-{size.capitalize()}",
            year=2023 if version == 2 else 2022,
            authors=AUTHORS,
            paper="ConvNeXt V2: co-designing and scaling ConvNets with masked autoencoders",
            doi_or_arxiv="arXiv:2301.00808",
            image_size=(224, 224),
            channels=3,
            classes=1000,
            parameters=parameters,
            multiply_adds=multiply_adds,
            summary="Channels that compete, in place of a scale on each block."
            if version == 2
            else "The first version's blocks at the smallest width.",
            top1=top1,
            top1_source=f"timm, weights {WEIGHTS[name]}" if name in WEIGHTS else None,
        )
    )(partial(ConvNeXtV2, version, widths, blocks))
