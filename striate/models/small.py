"""Four networks of our own for small images, 28x28 to 64x64, that learn in seconds to minutes on a CPU.

A stem of stride 2 that can start from whitened training images (hlb-CIFAR10; airbench, arXiv 2404.00498), a
few 3x3 convolutions, and a linear layer over the last map: in short runs that beats the mean of each map,
because the layer sees where a feature is. The price is a network built for one image size.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from striate.layers import ConvBlock, WhitenedStem
from striate.models.card import Card
from striate.models.probe import output_shape
from striate.models.registry import register

ORIGIN = "Made for striate, after the small fast networks of hlb-CIFAR10 and airbench (arXiv 2404.00498)."


class SmallNet(nn.Sequential):
    """Stem, 3x3 blocks, linear head: (N, in_channels, H, W) to (N, classes).

    ``widths`` are the output channels of the stem and of each block; ``pooled`` says which blocks halve
    the map.
    """

    stem: WhitenedStem

    def __init__(
        self,
        widths: tuple[int, ...],
        pooled: tuple[bool, ...],
        *,
        classes: int,
        in_channels: int,
        image_size: tuple[int, int],
    ) -> None:
        features: OrderedDict[str, nn.Module] = OrderedDict(stem=WhitenedStem(in_channels, widths[0]))
        for index, pool in enumerate(pooled):
            block = ConvBlock(widths[index], widths[index + 1], pool=2 if pool else None)
            features[f"block{index + 1}"] = block
        _, channels, height, width = output_shape(nn.Sequential(features), (2, in_channels, *image_size))
        features["flatten"] = nn.Flatten()
        features["head"] = nn.Linear(channels * height * width, classes)
        super().__init__(features)

    def initialise_from(self, images: Tensor) -> None:
        """Before the first step: whiten the stem on training images (N, in_channels, H, W), normalised."""
        self.stem.initialise_from(images)


@register(
    Card(
        name="striate_small",
        title="Striate small",
        year=2026,
        authors="The striate authors",
        paper=ORIGIN,
        doi_or_arxiv=None,
        image_size=(28, 28),
        channels=1,
        classes=10,
        parameters=252_362,
        multiply_adds=14_562_560,
        summary="Four convolutions, two of them at a quarter of the side.",
    )
)
def striate_small(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> SmallNet:
    """Maps at 28x28: stem 14, block1 7, block2 7, block3 3."""
    return SmallNet(
        (32, 64, 128, 128),
        (True, False, True),
        classes=classes,
        in_channels=in_channels,
        image_size=image_size,
    )


@register(
    Card(
        name="striate_base",
        title="Striate base",
        year=2026,
        authors="The striate authors",
        paper=ORIGIN,
        doi_or_arxiv=None,
        image_size=(28, 28),
        channels=1,
        classes=10,
        parameters=411_594,
        multiply_adds=10_002_944,
        summary="Four convolutions, the widest on the smallest map; the default for images up to 64x64.",
    )
)
def striate_base(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> SmallNet:
    """Maps at 28x28: stem 14, block1 7, block2 3, block3 3. More weights than small, fewer multiply-adds."""
    return SmallNet(
        (32, 64, 128, 256),
        (True, True, False),
        classes=classes,
        in_channels=in_channels,
        image_size=image_size,
    )


@register(
    Card(
        name="striate_tiny",
        title="Striate tiny",
        year=2026,
        authors="The striate authors",
        paper=ORIGIN,
        doi_or_arxiv=None,
        image_size=(28, 28),
        channels=1,
        classes=10,
        parameters=29_290,
        multiply_adds=1_862_272,
        summary="Three convolutions; learns small images in seconds.",
    )
)
def striate_tiny(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> SmallNet:
    """Maps at 28x28: stem 14, block1 7, block2 3."""
    return SmallNet(
        (16, 32, 64), (True, True), classes=classes, in_channels=in_channels, image_size=image_size
    )


@register(
    Card(
        name="striate_large",
        title="Striate large",
        year=2026,
        authors="The striate authors",
        paper=ORIGIN,
        doi_or_arxiv=None,
        image_size=(28, 28),
        channels=1,
        classes=10,
        parameters=558_250,
        multiply_adds=19_410_816,
        summary="Four convolutions, wide on the larger maps: for a quarter of an hour, not for a minute.",
        lr=0.005,
    )
)
def striate_large(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> SmallNet:
    """Maps at 28x28: stem 14, block1 7, block2 3, block3 3."""
    return SmallNet(
        (48, 96, 192, 192),
        (True, True, False),
        classes=classes,
        in_channels=in_channels,
        image_size=image_size,
    )
