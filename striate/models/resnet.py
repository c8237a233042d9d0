"""ResNet: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015, arXiv 1512.03385.

Every block adds to its input instead of replacing it, so that a network may be as deep as one likes. The
names ``resnet18`` to ``resnet152`` mean torchvision's networks, which differ from the paper in one place: the
bottlenecks have their stride in the 3x3 convolution ("v1.5"). Shapes at 224x224, with e = 1 for basic blocks
and 4 for bottlenecks:

    conv1 (64, 112, 112)   maxpool (64, 56, 56)   layer1 (64e, 56, 56)   layer2 (128e, 28, 28)
    layer3 (256e, 14, 14)   layer4 (512e, 7, 7)   avgpool (512e, 1, 1)   fc (classes)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from torch import Tensor, nn

from striate.layers import BasicBlock, BlockOf, Bottleneck, PaddedShortcut, Stage, he_normal_
from striate.models.card import Card
from striate.models.registry import register

ResNetCard = partial(
    Card,
    year=2015,
    authors="Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun",
    paper="Deep residual learning for image recognition",
    doi_or_arxiv="arXiv:1512.03385",
    channels=3,
)


Stem: TypeAlias = Callable[[int], tuple[nn.Module, int]]


def seven(in_channels: int) -> tuple[nn.Module, int]:
    """The paper's stem: one 7x7 convolution of stride 2."""
    return nn.Conv2d(in_channels, 64, 7, 2, 3, bias=False), 64


def three(in_channels: int) -> tuple[nn.Module, int]:
    """The stem for small images: one 3x3 convolution."""
    return nn.Conv2d(in_channels, 64, 3, 1, 1, bias=False), 64


def deep(width: int, in_channels: int) -> tuple[nn.Module, int]:
    """Three 3x3 convolutions, the first of stride 2, in place of the 7x7 (Inception's, arXiv 1512.00567)."""
    convolutions = nn.Sequential(
        nn.Conv2d(in_channels, width, 3, 2, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, 1, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, 1, 1, bias=False),
    )
    return convolutions, 2 * width


class ResNet(nn.Module):
    """(N, in_channels, H, W) to (N, classes); the same network for every ``image_size``.

    ``blocks`` is the number of blocks in each of the four stages. ``stem`` makes conv1 and says how many
    maps it gives; with ``three`` there is no pool, so that 32x32 images reach the first stage at full size.
    Convolutions start as in He et al. 2015b, arXiv 1502.01852, counted over the fan out as in
    fb.resnet.torch; the linear layer as torch.nn starts it.
    """

    def __init__(
        self,
        block: BlockOf,
        blocks: tuple[int, int, int, int],
        *,
        classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        stem: Stem = seven,
    ) -> None:
        super().__init__()
        self.conv1, channels = stem(in_channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.maxpool = nn.Identity() if stem is three else nn.MaxPool2d(3, 2, 1)
        self.layer1 = Stage(block, channels, 64, blocks[0], stride=1)
        self.layer2 = Stage(block, self.layer1.out_channels, 128, blocks[1], stride=2)
        self.layer3 = Stage(block, self.layer2.out_channels, 256, blocks[2], stride=2)
        self.layer4 = Stage(block, self.layer3.out_channels, 512, blocks[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(self.layer4.out_channels, classes)
        he_normal_(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        scores: Tensor = self.fc(self.avgpool(x).flatten(1))
        return scores


class CifarResNet(nn.Module):
    """The networks of section 4.2 for 32x32 images: (N, in_channels, H, W) to (N, classes).

    Three stages of ``blocks`` blocks, their widths ``width``, 2 ``width`` and 4 ``width``: at 32x32 and with
    basic blocks of width 16, conv1 and layer1 give (16, 32, 32), layer2 (32, 16, 16), layer3 (64, 8, 8).
    Names as in https://github.com/akamaster/pytorch_resnet_cifar10.
    """

    def __init__(
        self,
        block: BlockOf,
        width: int,
        blocks: int,
        *,
        classes: int,
        in_channels: int,
        image_size: tuple[int, int],
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.layer1 = Stage(block, width, width, blocks, stride=1)
        self.layer2 = Stage(block, self.layer1.out_channels, 2 * width, blocks, stride=2)
        self.layer3 = Stage(block, self.layer2.out_channels, 4 * width, blocks, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(self.layer3.out_channels, classes)
        he_normal_(self, "fan_in")

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.relu(self.bn1(self.conv1(x))))))
        scores: Tensor = self.linear(self.avgpool(x).flatten(1))
        return scores


# fmt: off
IMAGENET = (  # table 1 of the paper
    # layers  block      blocks in stages 1-4  parameters   multiply-adds   top-1   field seen
    (18,  BasicBlock, (2, 2, 2, 2),   11_689_512,  1_814_073_344, 69.758,  435),
    (34,  BasicBlock, (3, 4, 6, 3),   21_797_672,  3_663_761_408, 73.314,  899),
    (50,  Bottleneck, (3, 4, 6, 3),   25_557_032,  4_089_184_256, 76.130,  427),
    (101, Bottleneck, (3, 4, 23, 3),  44_549_160,  7_801_405_440, 77.374,  971),
    (152, Bottleneck, (3, 8, 36, 3),  60_192_808, 11_513_626_624, 78.312, 1451),
)
SMALL = (  # the same blocks behind a stem for 32x32 images
    # layers  block      blocks in stages 1-4  parameters   multiply-adds   top-1
    (18,  BasicBlock, (2, 2, 2, 2),   11_173_962,    555_422_720, 94.82),
    (34,  BasicBlock, (3, 4, 6, 3),   21_282_122,  1_159_402_496, 95.34),
    (50,  Bottleneck, (3, 4, 6, 3),   23_520_842,  1_297_829_888, 95.55),
    (101, Bottleneck, (3, 4, 23, 3),  42_512_970,  2_509_983_744, 95.58),
    (152, Bottleneck, (3, 8, 36, 3),  58_156_618,  3_722_137_600, 95.76),
)
CIFAR = (  # table 6 of the paper
    # layers   n   parameters  multiply-adds   top-1
    (20,       3,     269_722,    40_551_040, 91.25),
    (32,       5,     464_154,    68_862_592, 92.49),
    (44,       7,     658_586,    97_174_144, 92.83),
    (56,       9,     853_018,   125_485_696, 93.03),
    (110,     18,   1_727_962,   252_887_680, 93.57),
    (1202,   200,  19_421_274, 2_829_238_912, 92.07),
)
# fmt: on

for layers, block, blocks, parameters, multiply_adds, top1, field in IMAGENET:
    register(
        ResNetCard(
            name=f"resnet{layers}",
            title=f"ResNet-{layers}",
            image_size=(224, 224),
            classes=1000,
            parameters=parameters,
            multiply_adds=multiply_adds,
            receptive_field=field,
            summary=f"{layers} layers of residual blocks, the measure of everything since.",
            top1=top1,
            top1_source="torchvision, weights IMAGENET1K_V1",
            notes=("Strides in the 3x3 convolutions (v1.5), not in the first 1x1 as in the paper.",)
            if block is Bottleneck
            else (),
        )
    )(partial(ResNet, block, blocks))

SmallCard = partial(ResNetCard, image_size=(32, 32), classes=10)

for layers, block, blocks, parameters, multiply_adds, top1 in SMALL:
    register(
        SmallCard(
            name=f"resnet{layers}_cifar",
            title=f"ResNet-{layers} for small images",
            parameters=parameters,
            multiply_adds=multiply_adds,
            summary=f"The blocks of ResNet-{layers} behind a 3x3 stem without a pool.",
            top1=top1,
            top1_source="CIFAR-10: mmpretrain, configs/resnet/README.md",
            notes=("Not in the paper; the form of https://github.com/kuangliu/pytorch-cifar.",),
        )
    )(partial(ResNet, block, blocks, stem=three))

for layers, n, parameters, multiply_adds, top1 in CIFAR:
    register(
        SmallCard(
            name=f"resnet{layers}_cifar",
            title=f"ResNet-{layers}",
            parameters=parameters,
            multiply_adds=multiply_adds,
            summary=f"{layers} thin layers for 32x32 images.",
            top1=top1,
            top1_source="CIFAR-10, table 6 of the paper as quoted in "
            "https://github.com/akamaster/pytorch_resnet_cifar10",
            notes=("Shortcuts without parameters (option A); 6n + 2 layers.",),
        )
    )(partial(CifarResNet, partial(BasicBlock, around=PaddedShortcut), 16, n))
