"""AlexNet: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks",
2012.

    layer   maps  window     size at 227   then
    conv1     96  11x11 / 4  55            ReLU, normalisation, pool -> 27
    conv2    256  5x5, pad 2 27            ReLU, normalisation, pool -> 13    towers apart
    conv3    384  3x3, pad 1 13            ReLU                               towers meet
    conv4    384  3x3, pad 1 13            ReLU                               towers apart
    conv5    256  3x3, pad 1 13            ReLU, pool -> 6                    towers apart
    fc6     4096                           ReLU, dropout 0.5
    fc7     4096                           ReLU, dropout 0.5
    fc8     1000

The paper ran on two GPUs, each with half of the maps ("towers"): that is a convolution in two groups. It
gives the image as 224x224; its 55x55 maps of conv1 need 227x227 without padding, which everybody has used
since Caffe. Pools overlap: 3x3 windows, 2 apart. Names of layers as in Caffe's reference network. The network
that is called ``alexnet`` today is a later one: see alexnet_2014.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from striate.models.card import Card
from striate.models.probe import output_shape
from striate.models.registry import register

DEVIATION = 0.01  # of all starting weights (section 5)
BIAS_ONE = (
    "conv2",
    "conv4",
    "conv5",
    "fc6",
    "fc7",
)  # start at 1, so that their ReLUs begin alive (section 5)

AlexNetCard = partial(
    Card,
    year=2012,
    authors="Alex Krizhevsky, Ilya Sutskever, Geoffrey E. Hinton",
    paper="ImageNet classification with deep convolutional neural networks, NIPS 25",
    doi_or_arxiv="10.1145/3065386",
    image_size=(227, 227),
    channels=3,
    classes=1000,
)


def normalisation() -> nn.LocalResponseNorm:
    """Section 3.3: divide by (2 + 1e-4 * the sum of the squares of 5 neighbouring maps)^0.75.

    torch takes the mean of the squares instead of their sum, hence alpha is 5 times the paper's.
    """
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


def alexnet_2012(
    groups: int, *, classes: int, in_channels: int, image_size: tuple[int, int]
) -> nn.Sequential:
    """The table above, in one (``groups`` = 1) or two towers: (N, in_channels, H, W) to (N, classes).

    fc6 sees the whole last map, so the network is built for one ``image_size``.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(in_channels, 96, 11, 4),
        relu1=nn.ReLU(),
        norm1=normalisation(),
        pool1=nn.MaxPool2d(3, 2),
        conv2=nn.Conv2d(96, 256, 5, padding=2, groups=groups),
        relu2=nn.ReLU(),
        norm2=normalisation(),
        pool2=nn.MaxPool2d(3, 2),
        conv3=nn.Conv2d(256, 384, 3, padding=1),
        relu3=nn.ReLU(),
        conv4=nn.Conv2d(384, 384, 3, padding=1, groups=groups),
        relu4=nn.ReLU(),
        conv5=nn.Conv2d(384, 256, 3, padding=1, groups=groups),
        relu5=nn.ReLU(),
        pool5=nn.MaxPool2d(3, 2),
        flatten=nn.Flatten(),
    )
    _, features = output_shape(nn.Sequential(layers), (2, in_channels, *image_size))
    layers |= OrderedDict(
        fc6=nn.Linear(features, 4096),
        relu6=nn.ReLU(),
        drop6=nn.Dropout(0.5),
        fc7=nn.Linear(4096, 4096),
        relu7=nn.ReLU(),
        drop7=nn.Dropout(0.5),
        fc8=nn.Linear(4096, classes),
    )
    for name, layer in layers.items():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.normal_(layer.weight, 0, DEVIATION)
            nn.init.constant_(layer.bias, 1.0 if name in BIAS_ONE else 0.0)  # type: ignore[arg-type]
    return nn.Sequential(layers)


@register(
    AlexNetCard(
        name="alexnet_two_tower",
        title="AlexNet, as published",
        parameters=60_965_224,
        multiply_adds=724_406_816,
        summary="Five convolutions in two towers, ReLU and dropout: it won ImageNet 2012.",
        notes=(
            "Not torchvision's alexnet: this one has two groups, local response normalisation, 227x227 "
            "images.",
            "Weights of Caffe's CaffeNet have these shapes, but CaffeNet pools before it normalises.",
        ),
        deliberate=(("groups-without-shuffle", "conv4 and conv5 each stay on their GPU (section 3.5)."),),
    )
)
def alexnet_two_tower(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """conv2, conv4 and conv5 in two groups."""
    return alexnet_2012(2, classes=classes, in_channels=in_channels, image_size=image_size)


@register(
    AlexNetCard(
        name="alexnet_ungrouped",
        title="AlexNet, one tower",
        parameters=62_378_344,
        multiply_adds=1_135_256_096,
        summary="AlexNet with every map connected to every map, as most textbooks draw it.",
    )
)
def alexnet_ungrouped(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """All convolutions in one group."""
    return alexnet_2012(1, classes=classes, in_channels=in_channels, image_size=image_size)
