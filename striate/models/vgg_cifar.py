"""VGG for 32x32 images: the form of Kuang Liu, https://github.com/kuangliu/pytorch-cifar, 2017.

The convolutions of vgg with batch norm; then, since five pools leave a single pixel of a 32x32 image, one
linear layer over 512 numbers.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from striate.models.registry import register
from striate.models.vgg import A, B, D, Depths, E, NormNote, VGGCard, features

SmallVGGCard = partial(VGGCard, image_size=(32, 32), classes=10, notes=(NormNote,))


def vgg_cifar(
    depths: Depths, *, classes: int, in_channels: int, image_size: tuple[int, int]
) -> nn.Sequential:
    """(N, in_channels, H, W) to (N, classes). Starts as torch.nn starts its layers, as in the source.

    Smaller images are padded by 2 pixels on each side, or 28x28 would be gone before the last pool; from
    larger ones the last maps are averaged.
    """
    margin = 2 if min(image_size) < 32 else 0
    return nn.Sequential(
        OrderedDict(
            features=features(depths, in_channels, norm=True, margin=margin),
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            classifier=nn.Linear(512, classes),
        )
    )


@register(
    SmallVGGCard(
        name="vgg11_bn_cifar",
        title="VGG-11 for 32x32 images",
        parameters=9_231_114,
        multiply_adds=152_769_536,
        summary="VGG-11 with batch norm and a single linear layer.",
    )
)
def vgg11_bn_cifar(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """Configuration A and batch norm."""
    return vgg_cifar(A, classes=classes, in_channels=in_channels, image_size=image_size)


@register(
    SmallVGGCard(
        name="vgg13_bn_cifar",
        title="VGG-13 for 32x32 images",
        parameters=9_416_010,
        multiply_adds=228_267_008,
        summary="VGG-13 with batch norm and a single linear layer.",
    )
)
def vgg13_bn_cifar(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """Configuration B and batch norm."""
    return vgg_cifar(B, classes=classes, in_channels=in_channels, image_size=image_size)


@register(
    SmallVGGCard(
        name="vgg16_bn_cifar",
        title="VGG-16 for 32x32 images",
        parameters=14_728_266,
        multiply_adds=313_201_664,
        top1=92.64,
        top1_source="CIFAR-10: https://github.com/kuangliu/pytorch-cifar",
        summary="VGG-16 with batch norm and a single linear layer.",
    )
)
def vgg16_bn_cifar(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """Configuration D and batch norm."""
    return vgg_cifar(D, classes=classes, in_channels=in_channels, image_size=image_size)


@register(
    SmallVGGCard(
        name="vgg19_bn_cifar",
        title="VGG-19 for 32x32 images",
        parameters=20_040_522,
        multiply_adds=398_136_320,
        top1=93.34,
        top1_source="CIFAR-10, 6.66 % error: https://github.com/bearpaw/pytorch-classification",
        summary="VGG-19 with batch norm and a single linear layer.",
    )
)
def vgg19_bn_cifar(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """Configuration E and batch norm."""
    return vgg_cifar(E, classes=classes, in_channels=in_channels, image_size=image_size)
