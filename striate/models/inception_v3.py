"""Inception v3: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception architecture for computer
vision", 2015, arXiv 1512.00567.

    layer                  maps   size at 299   what it is
    Conv2d_1a_3x3            32   149           3x3 / 2
    Conv2d_2a, 2b        32, 64   147           3x3; then maxpool1 -> 73
    Conv2d_3b, 4a       80, 192   71            1x1, 3x3; then maxpool2 -> 35
    Mixed_5b, 5c, 5d        288   35            A: 5x5 and two 3x3
    Mixed_6a                768   17            B: smaller by stride and by pool, side by side
    Mixed_6b to 6e          768   17            C: 7x7 as 1x7 and 7x1; after the last, the auxiliary head
    Mixed_7a               1280   8             D: smaller again
    Mixed_7b, 7c           2048   8             E: 1x3 and 3x1 side by side
    avgpool, dropout 0.5, fc

The name means torchvision's network, which follows the one that Google trained and published: 5x5 windows
stay in A, where the paper's figure 5 has two of 3x3, and D pools by the maximum.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.layers import ConvBNReLU, Scores
from striate.models.card import Card
from striate.models.registry import register

AUXILIARY_WEIGHT = 0.4  # torchvision's references/classification/train.py; the paper names no number

InceptionCard = partial(
    Card,
    year=2015,
    authors="Christian Szegedy, Vincent Vanhoucke, Sergey Ioffe, Jonathon Shlens, Zbigniew Wojna",
    paper="Rethinking the Inception architecture for computer vision",
    doi_or_arxiv="arXiv:1512.00567",
    image_size=(299, 299),
    channels=3,
    classes=1000,
)
WeightsNote = (
    "torchvision's trained weights contain the auxiliary head, and expect images that are normalised by mean "
    "0.5 and deviation 0.5 in each channel, not by ImageNet's (its transform_input)."
)


def row(before: int, after: int) -> ConvBNReLU:
    """1x7, of unchanged size."""
    return ConvBNReLU(before, after, (1, 7), padding=(0, 3))


def column(before: int, after: int) -> ConvBNReLU:
    """7x1, of unchanged size."""
    return ConvBNReLU(before, after, (7, 1), padding=(3, 0))


def mean_of_neighbours(x: Tensor) -> Tensor:
    """3x3 means, of unchanged size; the zeros around the map count."""
    return F.avg_pool2d(x, 3, 1, 1)


class A(nn.Module):
    """(N, before, H, W) to (N, 224 + pool, H, W)."""

    def __init__(self, before: int, pool: int) -> None:
        super().__init__()
        self.branch1x1 = ConvBNReLU(before, 64)
        self.branch5x5_1 = ConvBNReLU(before, 48)
        self.branch5x5_2 = ConvBNReLU(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = ConvBNReLU(before, 64)
        self.branch3x3dbl_2 = ConvBNReLU(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvBNReLU(96, 96, 3, padding=1)
        self.branch_pool = ConvBNReLU(before, pool)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, double, self.branch_pool(mean_of_neighbours(x))], 1)


class B(nn.Module):
    """(N, before, H, W) to (N, 480 + before, H/2, W/2)."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.branch3x3 = ConvBNReLU(before, 384, 3, 2)
        self.branch3x3dbl_1 = ConvBNReLU(before, 64)
        self.branch3x3dbl_2 = ConvBNReLU(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvBNReLU(96, 96, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, 2)], 1)


class C(nn.Module):
    """(N, 768, H, W) to (N, 768, H, W), by way of ``between`` maps."""

    def __init__(self, between: int) -> None:
        super().__init__()
        self.branch1x1 = ConvBNReLU(768, 192)
        self.branch7x7_1 = ConvBNReLU(768, between)
        self.branch7x7_2 = row(between, between)
        self.branch7x7_3 = column(between, 192)
        self.branch7x7dbl_1 = ConvBNReLU(768, between)
        self.branch7x7dbl_2 = column(between, between)
        self.branch7x7dbl_3 = row(between, between)
        self.branch7x7dbl_4 = column(between, between)
        self.branch7x7dbl_5 = row(between, 192)
        self.branch_pool = ConvBNReLU(768, 192)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(mean_of_neighbours(x))], 1)


class D(nn.Module):
    """(N, 768, H, W) to (N, 1280, H/2, W/2)."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1 = ConvBNReLU(768, 192)
        self.branch3x3_2 = ConvBNReLU(192, 320, 3, 2)
        self.branch7x7x3_1 = ConvBNReLU(768, 192)
        self.branch7x7x3_2 = row(192, 192)
        self.branch7x7x3_3 = column(192, 192)
        self.branch7x7x3_4 = ConvBNReLU(192, 192, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        return torch.cat([three, self.branch7x7x3_4(seven), F.max_pool2d(x, 3, 2)], 1)


class E(nn.Module):
    """(N, before, H, W) to (N, 2048, H, W)."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.branch1x1 = ConvBNReLU(before, 320)
        self.branch3x3_1 = ConvBNReLU(before, 384)
        self.branch3x3_2a = ConvBNReLU(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = ConvBNReLU(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = ConvBNReLU(before, 448)
        self.branch3x3dbl_2 = ConvBNReLU(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = ConvBNReLU(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = ConvBNReLU(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = ConvBNReLU(before, 192)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_1(x)
        three = torch.cat([self.branch3x3_2a(three), self.branch3x3_2b(three)], 1)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        double = torch.cat([self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)], 1)
        return torch.cat([self.branch1x1(x), three, double, self.branch_pool(mean_of_neighbours(x))], 1)


class AuxiliaryHead(nn.Module):
    """(N, 768, H, W) to (N, classes): means over 5x5, 3 apart, two convolutions, the mean of each map."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(5, 3)
        self.conv0 = ConvBNReLU(768, 128)
        self.conv1 = ConvBNReLU(128, 768, 5)
        self.fc = nn.Linear(768, classes)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.conv1(self.conv0(self.pool(x)))
        scores: Tensor = self.fc(F.adaptive_avg_pool2d(maps, 1).flatten(1))
        return scores


class InceptionV3(nn.Module):
    """(N, in_channels, H, W) to (N, classes); the same network for every ``image_size``.

    With an ``auxiliary`` head it answers ``Scores`` in training mode. With ``small_images`` the stem neither
    strides nor pools. Weights start with torchvision's deviations: 0.1, and 0.01 and 0.001 in the head's last
    two layers.
    """

    def __init__(
        self, *, classes: int, in_channels: int, auxiliary: bool = False, small_images: bool = False
    ) -> None:
        super().__init__()
        stride, padding = (1, 1) if small_images else (2, 0)
        self.Conv2d_1a_3x3 = ConvBNReLU(in_channels, 32, 3, stride, padding)
        self.Conv2d_2a_3x3 = ConvBNReLU(32, 32, 3, padding=padding)
        self.Conv2d_2b_3x3 = ConvBNReLU(32, 64, 3, padding=1)
        self.maxpool1 = nn.Identity() if small_images else nn.MaxPool2d(3, 2)
        self.Conv2d_3b_1x1 = ConvBNReLU(64, 80)
        self.Conv2d_4a_3x3 = ConvBNReLU(80, 192, 3)
        self.maxpool2 = nn.Identity() if small_images else nn.MaxPool2d(3, 2)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = A(192, 32), A(256, 64), A(288, 64)
        self.Mixed_6a = B(288)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = C(128), C(160), C(160), C(192)
        self.AuxLogits = AuxiliaryHead(classes) if auxiliary else None
        self.Mixed_7a = D()
        self.Mixed_7b, self.Mixed_7c = E(1280), E(2048)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(2048, classes)
        self._start()

    def _start(self) -> None:
        deviations = {"AuxLogits.conv1.conv": 0.01, "AuxLogits.fc": 0.001}
        for name, layer in self.named_modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.normal_(layer.weight, 0, deviations.get(name, 0.1))

    def forward(self, x: Tensor) -> Tensor | Scores:
        x = self.maxpool1(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
        x = self.maxpool2(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))
        x = self.Mixed_6a(self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x))))
        middle = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(middle)))
        logits: Tensor = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        if self.training and self.AuxLogits is not None:
            return Scores(logits, (self.AuxLogits(middle),), AUXILIARY_WEIGHT)
        return logits


@register(
    InceptionCard(
        name="inception_v3",
        title="Inception v3",
        parameters=23_834_568,
        multiply_adds=5_713_216_096,
        top1=77.294,
        top1_source="torchvision, Inception_V3_Weights.IMAGENET1K_V1",
        receptive_field=1311,
        summary="Large windows taken apart into rows, columns and small squares.",
        notes=(WeightsNote,),
    )
)
def inception_v3(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> InceptionV3:
    """Without auxiliary head."""
    return InceptionV3(classes=classes, in_channels=in_channels)


@register(
    InceptionCard(
        name="inception_v3+aux",
        title="Inception v3, auxiliary head",
        parameters=27_161_264,
        multiply_adds=5_713_216_096,
        top1=77.294,
        top1_source="torchvision, Inception_V3_Weights.IMAGENET1K_V1",
        receptive_field=1311,
        summary="Inception v3 with the head that helps it to learn.",
        notes=(
            WeightsNote,
            "The head works in training mode only: there it answers Scores, of which the head weighs 0.4. "
            "The multiply-adds are those of evaluation.",
        ),
        deliberate=(("unused-parameters", "The auxiliary heads answer in training mode only."),),
    )
)
def inception_v3_aux(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> InceptionV3:
    """With the auxiliary head."""
    return InceptionV3(classes=classes, in_channels=in_channels, auxiliary=True)


@register(
    InceptionCard(
        name="inception_v3_cifar",
        title="Inception v3 for 32x32 images",
        image_size=(32, 32),
        classes=10,
        parameters=21_806_058,
        multiply_adds=3_095_615_488,
        summary="Inception v3 with a stem that keeps small images at their size.",
        notes=(
            "The stem is that of https://github.com/weiaicunzai/pytorch-cifar100; behind it come "
            "torchvision's modules, so that weights of inception_v3 fit.",
        ),
    )
)
def inception_v3_cifar(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> InceptionV3:
    """Maps at 32x32: stem 30, Mixed_5 30, Mixed_6 14, Mixed_7 6."""
    return InceptionV3(classes=classes, in_channels=in_channels, small_images=True)
