"""VGG: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014,
arXiv 1409.1556. Nothing but 3x3 convolutions: two of them see as much as one of 5x5, with fewer weights.

    configuration            A      B      D      E        (the paper's table 1)
    name                 vgg11  vgg13  vgg16  vgg19
    convolutions of   64     1      2      2      2        size at 224: 224, then a 2x2 pool
                     128     1      2      2      2                     112
                     256     2      2      3      4                      56
                     512     2      2      3      4                      28
                     512     2      2      3      4                      14, pooled to 7
    linear layers    4096, 4096, 1000

The names mean torchvision's networks; ``_bn`` has a batch norm after every convolution, which the paper, a
year older than batch norm, has not. Forms for small images: vgg_cifar.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from striate.layers import he_normal_
from striate.models.card import Card
from striate.models.registry import register

WIDTHS = (64, 128, 256, 512, 512)
Depths = tuple[int, int, int, int, int]
A: Depths = (1, 1, 2, 2, 2)
B: Depths = (2, 2, 2, 2, 2)
D: Depths = (2, 2, 3, 3, 3)
E: Depths = (2, 2, 4, 4, 4)

VGGCard = partial(
    Card,
    year=2014,
    authors="Karen Simonyan, Andrew Zisserman",
    paper="Very deep convolutional networks for large-scale image recognition",
    doi_or_arxiv="arXiv:1409.1556",
    image_size=(224, 224),
    channels=3,
    classes=1000,
)
NormNote = (
    "Each convolution has a bias although the batch norm after it takes it away again, as in torchvision: "
    "its gradient is zero but for rounding."
)


def features(depths: Depths, in_channels: int, *, norm: bool, margin: int = 0) -> nn.Sequential:
    """The convolutions; ``margin`` pixels of zeros more around the image than the usual 1."""
    layers: list[nn.Module] = []
    channels = in_channels
    for width, depth in zip(WIDTHS, depths, strict=True):
        for _ in range(depth):
            padding = 1 if layers else 1 + margin
            layers.append(nn.Conv2d(channels, width, 3, padding=padding))
            layers += [nn.BatchNorm2d(width), nn.ReLU()] if norm else [nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def vgg(depths: Depths, *, norm: bool, classes: int, in_channels: int) -> nn.Sequential:
    """(N, in_channels, H, W) to (N, classes); the last maps are averaged to 7x7 whatever the image's size.

    Convolutions start as in He et al. 2015, arXiv 1502.01852, linear layers with a deviation of 0.01, biases
    at 0: torchvision's choices. The paper started its deep networks from its trained shallow one.
    """
    classifier = nn.Sequential(
        nn.Linear(512 * 7 * 7, 4096),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(4096, 4096),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(4096, classes),
    )
    for layer in classifier:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0, 0.01)
            nn.init.zeros_(layer.bias)
    convolutions = features(depths, in_channels, norm=norm)
    he_normal_(convolutions)
    return nn.Sequential(
        OrderedDict(
            features=convolutions,
            avgpool=nn.AdaptiveAvgPool2d(7),
            flatten=nn.Flatten(),
            classifier=classifier,
        )
    )


@register(
    VGGCard(
        name="vgg11",
        title="VGG-11",
        parameters=132_863_336,
        multiply_adds=7_609_090_048,
        top1=69.02,
        top1_source="torchvision, VGG11_Weights.IMAGENET1K_V1",
        summary="The shallowest of the family.",
    )
)
def vgg11(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """Configuration A."""
    return vgg(A, norm=False, classes=classes, in_channels=in_channels)


@register(
    VGGCard(
        name="vgg11_bn",
        title="VGG-11, batch norm",
        parameters=132_868_840,
        multiply_adds=7_609_090_048,
        top1=70.37,
        top1_source="torchvision, VGG11_BN_Weights.IMAGENET1K_V1",
        summary="VGG-11 with batch norm.",
        notes=(NormNote,),
    )
)
def vgg11_bn(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """Configuration A and batch norm."""
    return vgg(A, norm=True, classes=classes, in_channels=in_channels)


@register(
    VGGCard(
        name="vgg13",
        title="VGG-13",
        parameters=133_047_848,
        multiply_adds=11_308_466_176,
        top1=69.928,
        top1_source="torchvision, VGG13_Weights.IMAGENET1K_V1",
        summary="Two convolutions in every stage.",
    )
)
def vgg13(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """Configuration B."""
    return vgg(B, norm=False, classes=classes, in_channels=in_channels)


@register(
    VGGCard(
        name="vgg13_bn",
        title="VGG-13, batch norm",
        parameters=133_053_736,
        multiply_adds=11_308_466_176,
        top1=71.586,
        top1_source="torchvision, VGG13_BN_Weights.IMAGENET1K_V1",
        summary="VGG-13 with batch norm.",
        notes=(NormNote,),
    )
)
def vgg13_bn(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """Configuration B and batch norm."""
    return vgg(B, norm=True, classes=classes, in_channels=in_channels)


@register(
    VGGCard(
        name="vgg16",
        title="VGG-16",
        parameters=138_357_544,
        multiply_adds=15_470_264_320,
        top1=71.592,
        top1_source="torchvision, VGG16_Weights.IMAGENET1K_V1",
        receptive_field=212,
        summary="The one that most people use.",
    )
)
def vgg16(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """Configuration D."""
    return vgg(D, norm=False, classes=classes, in_channels=in_channels)


@register(
    VGGCard(
        name="vgg16_bn",
        title="VGG-16, batch norm",
        parameters=138_365_992,
        multiply_adds=15_470_264_320,
        top1=73.36,
        top1_source="torchvision, VGG16_BN_Weights.IMAGENET1K_V1",
        receptive_field=212,
        summary="VGG-16 with batch norm.",
        notes=(NormNote,),
    )
)
def vgg16_bn(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """Configuration D and batch norm."""
    return vgg(D, norm=True, classes=classes, in_channels=in_channels)


@register(
    VGGCard(
        name="vgg19",
        title="VGG-19",
        parameters=143_667_240,
        multiply_adds=19_632_062_464,
        top1=72.376,
        top1_source="torchvision, VGG19_Weights.IMAGENET1K_V1",
        summary="The deepest of the family.",
    )
)
def vgg19(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """Configuration E."""
    return vgg(E, norm=False, classes=classes, in_channels=in_channels)


@register(
    VGGCard(
        name="vgg19_bn",
        title="VGG-19, batch norm",
        parameters=143_678_248,
        multiply_adds=19_632_062_464,
        top1=74.218,
        top1_source="torchvision, VGG19_BN_Weights.IMAGENET1K_V1",
        summary="VGG-19 with batch norm.",
        notes=(NormNote,),
    )
)
def vgg19_bn(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """Configuration E and batch norm."""
    return vgg(E, norm=True, classes=classes, in_channels=in_channels)
