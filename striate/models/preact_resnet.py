"""Pre-activation ResNet: He, Zhang, Ren, Sun, "Identity mappings in deep residual networks", 2016.

arXiv 1603.05027. Norm and activation move in front of the convolutions, and the sum of a block is passed on
untouched; one norm and one activation follow after the last block. Shapes as in ``resnet``.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import Tensor, nn

from striate.layers import BlockOf, PreActBasic, PreActBottleneck, Stage, he_normal_
from striate.models.card import Card
from striate.models.registry import register

PreActCard = partial(
    Card,
    year=2016,
    authors="Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun",
    paper="Identity mappings in deep residual networks",
    doi_or_arxiv="arXiv:1603.05027",
    channels=3,
)


class PreActResNet(nn.Module):
    """Four stages: (N, in_channels, H, W) to (N, classes), with the names of timm's resnetv2.

    ``small_images`` is the stem for 32x32 images, a 3x3 convolution of stride 1 without a pool. The
    classifier is a 1x1 convolution, as in timm. Starts as timm's: He et al. 2015 (arXiv 1502.01852) over the
    fan out, the classifier with a standard deviation of 0.01.
    """

    def __init__(
        self,
        block: BlockOf,
        blocks: tuple[int, int, int, int],
        *,
        classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        small_images: bool = False,
    ) -> None:
        super().__init__()
        kernel_size, stride = (3, 1) if small_images else (7, 2)
        stem = OrderedDict[str, nn.Module](
            conv=nn.Conv2d(in_channels, 64, kernel_size, stride, kernel_size // 2, bias=False)
        )
        if not small_images:
            stem["pool"] = nn.MaxPool2d(3, 2, 1)
        self.stem, self.stages, channels = nn.Sequential(stem), nn.Sequential(), 64
        for index, (width, count) in enumerate(zip((64, 128, 256, 512), blocks, strict=True)):
            stage = Stage(block, channels, width, count, stride=1 if index == 0 else 2)
            self.stages.append(nn.Sequential(OrderedDict(blocks=stage)))
            channels = stage.out_channels
        self.norm, self.relu = nn.BatchNorm2d(channels), nn.ReLU()
        self.head = nn.Sequential(
            OrderedDict(
                pool=nn.AdaptiveAvgPool2d(1), fc=nn.Conv2d(channels, classes, 1), flatten=nn.Flatten()
            )
        )
        he_normal_(self)
        nn.init.normal_(self.head.get_submodule("fc").get_parameter("weight"), std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.relu(self.norm(self.stages(self.stem(x)))))
        return scores


class PreActCifar(nn.Module):
    """Three stages for 32x32 images: (N, in_channels, H, W) to (N, classes).

    ``widths`` are those of the three stages behind a stem of 16 maps. At 32x32 the stages work at 32x32,
    16x16 and 8x8.
    """

    def __init__(
        self,
        block: BlockOf,
        widths: tuple[int, int, int],
        blocks: int,
        *,
        classes: int,
        in_channels: int,
        image_size: tuple[int, int],
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 16, 3, 1, 1, bias=False)
        self.layer1 = Stage(block, 16, widths[0], blocks, stride=1)
        self.layer2 = Stage(block, self.layer1.out_channels, widths[1], blocks, stride=2)
        self.layer3 = Stage(block, self.layer2.out_channels, widths[2], blocks, stride=2)
        self.norm, self.relu = nn.BatchNorm2d(self.layer3.out_channels), nn.ReLU()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(self.layer3.out_channels, classes)
        he_normal_(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.layer3(self.layer2(self.layer1(self.conv1(x))))))
        scores: Tensor = self.fc(self.avgpool(x).flatten(1))
        return scores


AuthorsBottleneck = partial(PreActBottleneck, stride_first=True)

# fmt: off
IMAGENET = (  # the stages of table 1 in arXiv 1512.03385
    # layers  block         blocks in stages 1-4  parameters  multiply-adds
    (18,  PreActBasic,      (2, 2, 2, 2),  11_687_720,  1_814_073_344),
    (34,  PreActBasic,      (3, 4, 6, 3),  21_795_880,  3_663_761_408),
    (50,  PreActBottleneck, (3, 4, 6, 3),  25_549_352,  4_089_184_256),
    (101, PreActBottleneck, (3, 4, 23, 3), 44_541_480,  7_801_405_440),
    (152, PreActBottleneck, (3, 8, 36, 3), 60_185_128, 11_513_626_624),
)
CIFAR = (  # tables 2 and 4 of the paper; 20 layers are not in it
    # layers  block             n   parameters  multiply-adds   top-1
    (20,   PreActBasic,         3,     272_282,    40_813_184,  None),
    (110,  PreActBasic,        18,   1_730_522,   253_149_824, 93.63),
    (164,  AuthorsBottleneck,  18,   1_703_258,   244_500_992, 94.54),
    (1001, AuthorsBottleneck, 111,  10_327_706, 1_487_849_984, 95.08),
)
# fmt: on

for layers, block, stages, parameters, multiply_adds in IMAGENET:
    register(
        PreActCard(
            name=f"resnetv2_{layers}",
            title=f"ResNet-{layers}, pre-activation",
            image_size=(224, 224),
            classes=1000,
            parameters=parameters,
            multiply_adds=multiply_adds,
            summary=f"ResNet-{layers} with norms and activations before the convolutions.",
            notes=("Strides in the 3x3 convolutions, as in timm; the paper's code has them in the 1x1.",)
            if block is PreActBottleneck
            else (),
        )
    )(partial(PreActResNet, block, stages))

SmallCard = partial(PreActCard, image_size=(32, 32), classes=10)

for layers, unit, count, parameters, multiply_adds, top1 in CIFAR:
    register(
        SmallCard(
            name=f"preact_resnet{layers}_cifar",
            title=f"ResNet-{layers}, pre-activation",
            parameters=parameters,
            multiply_adds=multiply_adds,
            summary=f"{layers} layers for 32x32 images, and nothing in the way around them.",
            top1=top1,
            top1_source="CIFAR-10, the paper as quoted in table 5 of arXiv:1605.07146" if top1 else None,
            notes=(
                "1x1 shortcuts where sizes differ; bottlenecks with the stride in the first convolution: "
                "the authors' resnet-1k-layers.",
            ),
        )
    )(partial(PreActCifar, unit, (16, 32, 64), count))


@register(
    SmallCard(
        name="preact_resnet18_cifar",
        title="ResNet-18, pre-activation, for small images",
        parameters=11_172_170,
        multiply_adds=555_422_720,
        summary="The blocks of pre-activation ResNet-18 behind a 3x3 stem without a pool.",
        notes=(
            "Not in the paper. https://github.com/kuangliu/pytorch-cifar forgets the last norm and "
            "activation (and reaches 95.11 % on CIFAR-10); they are here.",
        ),
    )
)
def preact_resnet18_cifar(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> PreActResNet:
    """The ImageNet form with a stem for small images."""
    return PreActResNet(
        PreActBasic,
        (2, 2, 2, 2),
        classes=classes,
        in_channels=in_channels,
        image_size=image_size,
        small_images=True,
    )
