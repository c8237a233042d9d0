"""AlexNet on one GPU: Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014,
arXiv 1404.5997. The name ``alexnet`` means torchvision's network, which follows this paper.

    layer        maps  window      size at 224  then
    features.0     64  11x11 / 4   55           ReLU, pool -> 27
    features.3    192  5x5         27           ReLU, pool -> 13
    features.6    384  3x3         13           ReLU
    features.8    256  3x3         13           ReLU
    features.10   256  3x3         13           ReLU, pool -> 6
    classifier   4096, 4096, 1000               dropout 0.5 before the first two

One tower, no normalisation, fewer maps at first. The numbers of maps are those of Soumith Chintala's
https://github.com/soumith/imagenet-multiGPU.torch, from which torchvision has them.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from striate.models.card import Card
from striate.models.probe import output_shape
from striate.models.registry import register

WeirdTrickCard = partial(
    Card,
    year=2014,
    authors="Alex Krizhevsky",
    paper="One weird trick for parallelizing convolutional neural networks",
    doi_or_arxiv="arXiv:1404.5997",
    channels=3,
)


def convolutions(in_channels: int, padding: int, window: int) -> nn.Sequential:
    """The five convolutions; ``padding`` of the first, and the side of the pools' ``window``, 2 apart."""
    return nn.Sequential(
        nn.Conv2d(in_channels, 64, 11, 4, padding),
        nn.ReLU(),
        nn.MaxPool2d(window, 2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(window, 2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(window, 2),
    )


@register(
    WeirdTrickCard(
        name="alexnet",
        title="AlexNet, 2014",
        image_size=(224, 224),
        classes=1000,
        parameters=61_100_840,
        multiply_adds=714_188_480,
        top1=56.522,
        top1_source="torchvision, AlexNet_Weights.IMAGENET1K_V1",
        receptive_field=195,
        summary="AlexNet in one tower and without normalisation: what the name means today.",
        notes=("Starts as torch.nn starts its layers, which is what torchvision does.",),
    )
)
def alexnet(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """The same network for every ``image_size``: what the last pool gives is averaged to 6x6."""
    classifier = nn.Sequential(
        nn.Dropout(0.5),
        nn.Linear(256 * 6 * 6, 4096),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(4096, 4096),
        nn.ReLU(),
        nn.Linear(4096, classes),
    )
    return nn.Sequential(
        OrderedDict(
            features=convolutions(in_channels, padding=2, window=3),
            avgpool=nn.AdaptiveAvgPool2d(6),
            flatten=nn.Flatten(),
            classifier=classifier,
        )
    )


@register(
    WeirdTrickCard(
        name="alexnet_cifar",
        title="AlexNet for 32x32 images",
        image_size=(32, 32),
        classes=10,
        parameters=2_472_266,
        multiply_adds=14_957_056,
        top1=77.22,
        top1_source="CIFAR-10, 22.78 % error: Wei Yang, https://github.com/bearpaw/pytorch-classification",
        summary="The convolutions of AlexNet with wider padding, and one linear layer.",
        notes=("Not of the paper: the form of Wei Yang's pytorch-classification.",),
        deliberate=(("stem-too-coarse", "The proportions of AlexNet's stem, scaled to 32x32."),),
    )
)
def alexnet_cifar(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """Maps at 32x32: 8, 4, 2, 1. The linear layer sees the whole last map, of one ``image_size``.

    Smaller images are padded by 2 pixels more on each side, or 28x28 would be gone before the last pool.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        features=convolutions(in_channels, padding=7 if min(image_size) < 32 else 5, window=2),
        flatten=nn.Flatten(),
    )
    _, values = output_shape(nn.Sequential(layers), (2, in_channels, *image_size))
    return nn.Sequential(layers | OrderedDict(classifier=nn.Linear(values, classes)))
