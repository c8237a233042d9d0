"""ResNeXt: Xie, Girshick, Dollár, Tu, He, "Aggregated residual transformations for deep neural networks".

2016, arXiv 1611.05431. A bottleneck of ResNet cut into many equal paths: C paths ("cardinality") of width d
are one convolution with C groups, written C x d. Shapes as in ``resnet``.
"""

from __future__ import annotations

from functools import partial

from striate.layers import Bottleneck
from striate.models.card import Card
from striate.models.registry import register
from striate.models.resnet import CifarResNet, ResNet

ResNeXtCard = partial(
    Card,
    year=2016,
    authors="Saining Xie, Ross Girshick, Piotr Dollár, Zhuowen Tu, Kaiming He",
    paper="Aggregated residual transformations for deep neural networks",
    doi_or_arxiv="arXiv:1611.05431",
    channels=3,
)

# fmt: off
IMAGENET = (  # table 1 of the paper and its section 5.1
    # layers   C  d  blocks in stages 1-4   parameters   multiply-adds    top-1
    (50,      32, 4, (3, 4, 6, 3),       25_028_904,  4_230_479_872, 77.618),
    (101,     32, 8, (3, 4, 23, 3),      88_791_336, 16_414_015_488, 79.312),
    (101,     64, 4, (3, 4, 23, 3),      83_455_272, 15_460_270_080, 83.246),
)
CIFAR = (  # table 7 of the paper: three stages of three blocks
    # layers   C   d  parameters   multiply-adds    top-1
    (29,       8, 64, 34_426_698,  5_387_266_048,  96.35),
    (29,      16, 64, 68_155_210, 10_688_866_304, 96.42),
)
# fmt: on

for layers, paths, width, blocks, parameters, multiply_adds, top1 in IMAGENET:
    register(
        ResNeXtCard(
            name=f"resnext{layers}_{paths}x{width}d",
            title=f"ResNeXt-{layers} {paths}x{width}d",
            image_size=(224, 224),
            classes=1000,
            parameters=parameters,
            multiply_adds=multiply_adds,
            summary=f"ResNet-{layers} with {paths} paths of width {width} in each bottleneck.",
            top1=top1,
            top1_source="torchvision, weights IMAGENET1K_V1",
        )
    )(partial(ResNet, partial(Bottleneck, groups=paths, width_per_group=width), blocks))

for layers, paths, width, parameters, multiply_adds, top1 in CIFAR:
    register(
        ResNeXtCard(
            name=f"resnext{layers}_{paths}x{width}d_cifar",
            title=f"ResNeXt-{layers} {paths}x{width}d",
            image_size=(32, 32),
            classes=10,
            parameters=parameters,
            multiply_adds=multiply_adds,
            summary=f"{paths} paths of width {width} for 32x32 images.",
            top1=top1,
            top1_source="CIFAR-10, the paper as quoted in https://github.com/longrootchen/cifar10-pytorch",
        )
    )(partial(CifarResNet, partial(Bottleneck, groups=paths, width_per_group=width), 64, 3))
