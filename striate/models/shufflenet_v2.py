"""ShuffleNet v2: Ma, Zhang, Zheng, Sun, "ShuffleNet V2: practical guidelines for efficient CNN design", 2018.

arXiv 1807.11164. What counts is time, not multiplications: no groups, no addition, equal widths. Each
unit leaves half of the channels untouched. torchvision's networks and names. Shapes of x1_0 at 224x224:

    conv1 (24, 112, 112)   maxpool (24, 56, 56)   stage2 (116, 28, 28)   stage3 (232, 14, 14)
    stage4 (464, 7, 7)   conv5 (1024, 7, 7)   pool (1024)   fc (classes)
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from striate.models.card import Card
from striate.models.registry import register

STEM = 24  # maps of conv1, for every width
REPEATS = (4, 8, 4)  # units in stages 2, 3 and 4; the first of each has the stride

ShuffleCard = partial(
    Card,
    year=2018,
    authors="Ningning Ma, Xiangyu Zhang, Hai-Tao Zheng, Jian Sun",
    paper="ShuffleNet V2: practical guidelines for efficient CNN architecture design",
    doi_or_arxiv="arXiv:1807.11164",
    channels=3,
)


def pointwise(in_channels: int, out_channels: int) -> list[nn.Module]:
    """1x1 convolution, norm, ReLU."""
    return [nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()]


def depthwise(channels: int, stride: int) -> list[nn.Module]:
    """3x3 convolution of each map, norm."""
    return [
        nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
    ]


class ShuffleUnit(nn.Module):
    """(N, channels, H, W) to the same: half of the channels pass, half go through branch2 (figure 3c)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch2 = nn.Sequential(*pointwise(half, half), *depthwise(half, 1), *pointwise(half, half))
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        passing, changed = x.chunk(2, dim=1)
        maps: Tensor = self.shuffle(torch.cat([passing, self.branch2(changed)], dim=1))
        return maps


class HalvingUnit(nn.Module):
    """(N, in_channels, H, W) to (N, out_channels, H/2, W/2): both branches see everything (figure 3d)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        half = out_channels // 2
        self.branch1 = nn.Sequential(*depthwise(in_channels, 2), *pointwise(in_channels, half))
        self.branch2 = nn.Sequential(
            *pointwise(in_channels, half), *depthwise(half, 2), *pointwise(half, half)
        )
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.shuffle(torch.cat([self.branch1(x), self.branch2(x)], dim=1))
        return maps


def stage(in_channels: int, out_channels: int, count: int) -> nn.Sequential:
    """A unit that halves the map, and ``count`` - 1 that keep it."""
    return nn.Sequential(
        HalvingUnit(in_channels, out_channels), *(ShuffleUnit(out_channels) for _ in range(count - 1))
    )


class ShuffleNetV2(nn.Module):
    """(N, in_channels, H, W) to (N, classes); the same network for every ``image_size``.

    ``widths`` are the channels of stages 2, 3, 4 and of conv5. ``small_images`` is the stem for 32x32
    images: stride 1 and no pool. Starts as torch.nn does, as in torchvision; the paper does not say.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int],
        *,
        classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        small_images: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv2d(in_channels, STEM, 3, 1 if small_images else 2, 1, bias=False),
            nn.BatchNorm2d(STEM),
            nn.ReLU(),
        )
        self.maxpool = nn.Identity() if small_images else nn.MaxPool2d(3, 2, 1)
        self.stage2 = stage(STEM, widths[0], REPEATS[0])
        self.stage3 = stage(widths[0], widths[1], REPEATS[1])
        self.stage4 = stage(widths[1], widths[2], REPEATS[2])
        self.conv5 = nn.Sequential(*pointwise(widths[2], widths[3]))
        self.fc = nn.Linear(widths[3], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stage4(self.stage3(self.stage2(self.maxpool(self.conv1(x)))))
        scores: Tensor = self.fc(self.conv5(x).mean((2, 3)))
        return scores


SHIFTS = "Norms behind depthwise convolutions shift in vain: the next norm takes it away, the gradient is 0."
WITHOUT_GRADIENT = ("stage*.branch1.1.bias", "stage*.branch2.4.bias")
# fmt: off
IMAGENET = (  # table 5 of the paper
    # width  stages 2-4 and conv5      parameters  multiply-adds   top-1
    ("0_5", (48, 96, 192, 1024),        1_366_792,    40_476_448, 60.552),
    ("1_0", (116, 232, 464, 1024),      2_278_604,   144_907_992, 69.362),
    ("1_5", (176, 352, 704, 1024),      3_503_624,   295_759_392, 72.996),
    ("2_0", (244, 488, 976, 2048),      7_393_996,   583_253_464, 76.230),
)
SMALL = (  # the same behind a stem for 32x32 images
    # width  stages 2-4 and conv5      parameters  multiply-adds
    ("0_5", (48, 96, 192, 1024),          352_042,    10_902_016),
    ("1_0", (116, 232, 464, 1024),      1_263_854,    45_002_112),
)
# fmt: on

for width, maps, parameters, multiply_adds, top1 in IMAGENET:
    register(
        ShuffleCard(
            name=f"shufflenet_v2_x{width}",
            title=f"ShuffleNet v2 {width.replace('_', '.')}x",
            image_size=(224, 224),
            classes=1000,
            parameters=parameters,
            multiply_adds=multiply_adds,
            summary="Half of the channels pass each unit untouched, then all are shuffled.",
            top1=top1,
            top1_source="torchvision, weights IMAGENET1K_V1",
            notes=(SHIFTS,),
            no_gradient=WITHOUT_GRADIENT,
        )
    )(partial(ShuffleNetV2, maps))

for width, maps, parameters, multiply_adds in SMALL:
    register(
        ShuffleCard(
            name=f"shufflenet_v2_x{width}_cifar",
            title=f"ShuffleNet v2 {width.replace('_', '.')}x for small images",
            image_size=(32, 32),
            classes=10,
            parameters=parameters,
            multiply_adds=multiply_adds,
            summary="ShuffleNet v2 behind a 3x3 stem of stride 1 without a pool.",
            notes=("Not in the paper; the form of https://github.com/kuangliu/pytorch-cifar.", SHIFTS),
            no_gradient=WITHOUT_GRADIENT,
        )
    )(partial(ShuffleNetV2, maps, small_images=True))
