"""Wide ResNet: Zagoruyko and Komodakis, "Wide residual networks", 2016, arXiv 1605.07146.

Fewer layers with more maps learn as well as many thin ones, and faster. Two forms: torchvision's for
ImageNet, whose bottlenecks have twice the inner width of ResNet's, and the paper's for CIFAR, WRN-depth-k,
whose three stages of pre-activation blocks are k times as wide as ResNet's. Shapes of WRN-d-k at 32x32:

    conv1 (16, 32, 32)   layer1 (16k, 32, 32)   layer2 (32k, 16, 16)   layer3 (64k, 8, 8)
"""

from __future__ import annotations

from functools import partial

from striate.layers import Bottleneck, PreActBasic
from striate.models.card import Card
from striate.models.preact_resnet import PreActCifar
from striate.models.registry import register
from striate.models.resnet import ResNet

WideCard = partial(
    Card,
    year=2016,
    authors="Sergey Zagoruyko, Nikos Komodakis",
    paper="Wide residual networks",
    doi_or_arxiv="arXiv:1605.07146",
    channels=3,
)

# fmt: off
IMAGENET = (
    # layers  blocks in stages 1-4  parameters   multiply-adds    top-1
    (50,      (3, 4, 6, 3),       68_883_240, 11_398_021_120, 78.468),
    (101,     (3, 4, 23, 3),     126_886_696, 22_753_050_624, 78.848),
)
CIFAR = (  # table 5 of the paper, without dropout
    # depth  k  blocks a stage  parameters   multiply-adds    top-1
    (16,     8, 2,              10_961_370,  1_548_145_664,   95.73),
    (28,    10, 4,              36_479_194,  5_243_328_768,   96.00),
    (40,     4, 6,               8_949_210,  1_298_582_016,   95.47),
)
# fmt: on

for layers, stages, parameters, multiply_adds, top1 in IMAGENET:
    register(
        WideCard(
            name=f"wide_resnet{layers}_2",
            title=f"Wide ResNet-{layers}-2",
            image_size=(224, 224),
            classes=1000,
            parameters=parameters,
            multiply_adds=multiply_adds,
            summary=f"ResNet-{layers} with twice the width inside its bottlenecks.",
            top1=top1,
            top1_source="torchvision, weights IMAGENET1K_V1",
        )
    )(partial(ResNet, partial(Bottleneck, width_per_group=128), stages))

for depth, k, blocks, parameters, multiply_adds, top1 in CIFAR:
    register(
        WideCard(
            name=f"wrn{depth}_{k}_cifar",
            title=f"WRN-{depth}-{k}",
            image_size=(32, 32),
            classes=10,
            parameters=parameters,
            multiply_adds=multiply_adds,
            summary=f"{depth} layers, {k} times as wide as ResNet's, for 32x32 images.",
            top1=top1,
            top1_source="CIFAR-10, table 5 of the paper",
            notes=("Without the dropout between convolutions that the paper tries.",),
        )
    )(partial(PreActCifar, PreActBasic, (16 * k, 32 * k, 64 * k), blocks))
