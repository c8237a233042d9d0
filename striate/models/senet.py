"""SENet: Hu, Shen, Albanie, Sun, Wu, "Squeeze-and-excitation networks", 2017, arXiv 1709.01507.

At the end of each residual block, every map is scaled by a gate that has seen the mean of all maps. Shapes as
in ``resnet``. Two lines of names: ``legacy_...`` are the authors' networks (Caffe: the pool rounds up instead
of padding; SE-ResNet has its strides in the first 1x1 convolutions, "v1"), the others are timm's, with
strides in the 3x3 ("v1.5").
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from striate.layers import BasicBlock, BlockOf, Bottleneck, SqueezeExcite, Stage, he_normal_
from striate.models.card import Card
from striate.models.registry import register
from striate.models.resnet import CifarResNet, ResNet, deep

REDUCTION = 16  # section 6.1: a gate's hidden layer has a sixteenth of the channels
PUBLISHED = "https://github.com/hujie-frank/SENet, one crop of 224 pixels"
TIMM = "timm, weights seresnet50.a1_in1k"
TITLES = {"seresnet": "SE-ResNet-", "seresnext": "SE-ResNeXt-", "senet": "SENet-"}

SENetCard = partial(
    Card,
    year=2017,
    authors="Jie Hu, Li Shen, Samuel Albanie, Gang Sun, Enhua Wu",
    paper="Squeeze-and-excitation networks",
    doi_or_arxiv="arXiv:1709.01507",
    channels=3,
)


class SEBottleneck(Bottleneck):
    """A bottleneck whose result is gated, under the name ``gate``: "se" in timm, "se_module" in legacy."""

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        *,
        groups: int = 1,
        width_per_group: int = 64,
        stride_first: bool = False,
        gate: str = "se",
    ) -> None:
        super().__init__(
            in_channels,
            width,
            stride,
            groups=groups,
            width_per_group=width_per_group,
            stride_first=stride_first,
        )
        self.gate = gate
        self.add_module(gate, SqueezeExcite(self.out_channels, self.out_channels // REDUCTION))

    def residual(self, x: Tensor) -> Tensor:
        gated: Tensor = self.get_submodule(self.gate)(super().residual(x))
        return gated


class SENet154Block(SEBottleneck):
    """The block of SENet-154 (the paper's appendix): 64 x 4d, half the width in the first convolution,
    and 3x3 instead of 1x1 where the shortcut has a stride."""

    def __init__(self, in_channels: int, width: int, stride: int = 1, *, gate: str = "se") -> None:
        super().__init__(in_channels, width, stride, groups=64, width_per_group=4, gate=gate)
        inner = 4 * width
        self.conv1 = nn.Conv2d(in_channels, inner // 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner // 2)
        self.conv2 = nn.Conv2d(inner // 2, inner, 3, stride, 1, groups=64, bias=False)
        if stride != 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, self.out_channels, 3, stride, 1, bias=False),
                nn.BatchNorm2d(self.out_channels),
            )


class SEBasicBlock(BasicBlock):
    """A basic block whose result is gated."""

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__(in_channels, width, stride)
        self.se = SqueezeExcite(width, width // REDUCTION)

    def residual(self, x: Tensor) -> Tensor:
        gated: Tensor = self.se(super().residual(x))
        return gated


class LegacySENet(nn.Module):
    """The authors' networks: (N, in_channels, H, W) to (N, classes), with timm's names.

    ``deep_stem`` is SENet-154's: three 3x3 convolutions in place of the 7x7, 128 maps; its classifier has
    a dropout of 0.2 before it. Starts as ResNet does.
    """

    def __init__(
        self,
        block: BlockOf,
        blocks: tuple[int, int, int, int],
        *,
        classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        deep_stem: bool = False,
    ) -> None:
        super().__init__()
        widths = (in_channels, 64, 64, 128) if deep_stem else (in_channels, 64)
        stem = OrderedDict[str, nn.Module]()
        for i, (before, after) in enumerate(pairwise(widths), start=1):
            window, stride = (3 if deep_stem else 7), (2 if i == 1 else 1)
            stem[f"conv{i}"] = nn.Conv2d(before, after, window, stride, window // 2, bias=False)
            stem[f"bn{i}"], stem[f"relu{i}"] = nn.BatchNorm2d(after), nn.ReLU()
        self.layer0 = nn.Sequential(stem)
        self.pool0 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.layer1 = Stage(block, widths[-1], 64, blocks[0], stride=1)
        self.layer2 = Stage(block, self.layer1.out_channels, 128, blocks[1], stride=2)
        self.layer3 = Stage(block, self.layer2.out_channels, 256, blocks[2], stride=2)
        self.layer4 = Stage(block, self.layer3.out_channels, 512, blocks[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2 if deep_stem else 0.0)
        self.last_linear = nn.Linear(self.layer4.out_channels, classes)
        he_normal_(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.pool0(self.layer0(x))))))
        scores: Tensor = self.last_linear(self.dropout(self.avgpool(x).flatten(1)))
        return scores


# fmt: off
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 154: (3, 8, 36, 3)}
V1 = partial(SEBottleneck, stride_first=True, gate="se_module")
LEGACY_NEXT = partial(SEBottleneck, groups=32, width_per_group=4, gate="se_module")
NEXT = partial(SEBottleneck, groups=32, width_per_group=4)
LEGACY_154 = partial(LegacySENet, partial(SENet154Block, gate="se_module"), deep_stem=True)
MODERN_154 = partial(ResNet, SENet154Block, stem=partial(deep, 64))
IMAGENET = (
    # name                      layers  network                           parameters   multiply-adds    top-1
    ("legacy_seresnet50",          50, partial(LegacySENet, V1),          28_088_024,  3_860_488_192, 77.63),
    ("legacy_seresnet101",        101, partial(LegacySENet, V1),          49_326_872,  7_574_937_600, 78.25),
    ("legacy_seresnet152",        152, partial(LegacySENet, V1),          66_821_848, 11_288_993_792, 78.66),
    ("legacy_seresnext50_32x4d",   50, partial(LegacySENet, LEGACY_NEXT), 27_559_896,  4_232_994_816, 79.03),
    ("legacy_seresnext101_32x4d", 101, partial(LegacySENet, LEGACY_NEXT), 48_955_416,  7_974_739_968, 80.19),
    ("legacy_senet154",           154, LEGACY_154,                       115_088_984, 20_688_363_520, 81.32),
    ("seresnet50",                 50, partial(ResNet, SEBottleneck),     28_088_024,  4_091_699_200, 80.012),
    ("seresnet101",               101, partial(ResNet, SEBottleneck),     49_326_872,  7_806_148_608, None),
    ("seresnet152",               152, partial(ResNet, SEBottleneck),     66_821_848, 11_520_204_800, None),
    ("seresnext50_32x4d",          50, partial(ResNet, NEXT),             27_559_896,  4_232_994_816, None),
    ("seresnext101_32x4d",        101, partial(ResNet, NEXT),             48_955_416,  7_974_739_968, None),
    ("senet154",                  154, MODERN_154,                       115_088_984, 20_688_363_520, None),
)
CIFAR = (
    # layers  n  parameters  multiply-adds
    (20,      3,    274_847,    40_815_200),
    (110,    18,  1_744_952,   253_161_920),
)
# fmt: on


for name, layers, network, parameters, multiply_adds, top1 in IMAGENET:
    legacy, short = name.startswith("legacy_"), name.removeprefix("legacy_")
    kind, _, paths = short.partition(str(layers))
    register(
        SENetCard(
            name=name,
            title=f"{TITLES[kind]}{layers}{paths.replace('_', ' ')}" + (", as published" if legacy else ""),
            image_size=(224, 224),
            classes=1000,
            parameters=parameters,
            multiply_adds=multiply_adds,
            summary="Every block scales its maps by what it sees in the whole image.",
            top1=top1,
            top1_source=None if top1 is None else PUBLISHED if legacy else TIMM,
            notes=("The first pool rounds up and does not pad: Caffe's.",) if legacy else (),
        )
    )(partial(network, BLOCKS[layers]))

for layers, n, parameters, multiply_adds in CIFAR:
    register(
        SENetCard(
            name=f"seresnet{layers}_cifar",
            title=f"SE-ResNet-{layers}",
            image_size=(32, 32),
            classes=10,
            parameters=parameters,
            multiply_adds=multiply_adds,
            summary=f"{layers} thin layers with gates, for 32x32 images.",
            notes=(
                "ResNet-20 and -110 with gates, and with 1x1 shortcuts where sizes differ: the form of "
                "https://github.com/moskomule/senet.pytorch.",
            ),
        )
    )(partial(CifarResNet, SEBasicBlock, 16, n))
