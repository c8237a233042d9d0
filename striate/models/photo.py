"""A residual network of our own for photographs of 64 to 224 pixels, light enough to train on a CPU.

He et al. 2015 (arXiv 1512.03385) with one block a stage and half the width of ResNet-18, and a whitened 4x4
stem. Global average pooling ends it, so one set of weights takes images of any size.
"""

from __future__ import annotations

from torch import Tensor, nn

from striate.layers import ConvBlock, PooledHead, WhitenedStem
from striate.models.card import Card
from striate.models.registry import register

STAGES = (32, 64, 128, 256)  # output channels; each stage but the first halves the map


class ResidualBlock(nn.Module):
    """ReLU(x + two 3x3 convolutions of x): (N, in_channels, H, W) to (N, out_channels, H/stride, W/stride).

    Where sizes differ, the shortcut is a 1x1 convolution with the same stride (option B of the paper).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.first = ConvBlock(in_channels, out_channels, stride=stride)
        self.second = ConvBlock(out_channels, out_channels, activation=False)
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = ConvBlock(
                in_channels, out_channels, kernel_size=1, stride=stride, padding=0, activation=False
            )

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.relu(self.shortcut(x) + self.second(self.first(x)))
        return answer


class PhotoNet(nn.Module):
    """(N, in_channels, H, W) to (N, classes). Maps at 224x224: stem 112, pool 56, stages 56, 28, 14, 7."""

    def __init__(self, *, classes: int, in_channels: int) -> None:
        super().__init__()
        self.stem = WhitenedStem(in_channels, STAGES[0])
        self.pool = nn.MaxPool2d(2)
        self.stages = nn.Sequential(
            *(
                ResidualBlock(before, after, stride=1 if index == 0 else 2)
                for index, (before, after) in enumerate(zip(STAGES[:1] + STAGES, STAGES, strict=False))
            )
        )
        self.head = PooledHead(STAGES[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.stages(self.pool(self.stem(x))))
        return scores

    def initialise_from(self, images: Tensor) -> None:
        """Before the first step: whiten the stem on training images (N, in_channels, H, W), normalised."""
        self.stem.initialise_from(images)


@register(
    Card(
        name="striate_photo",
        title="Striate photo",
        year=2026,
        authors="The striate authors",
        paper="Made for striate, after Deep residual learning for image recognition (He et al. 2015).",
        doi_or_arxiv=None,
        image_size=(224, 224),
        channels=3,
        classes=10,
        parameters=1_229_642,
        multiply_adds=211_945_984,
        summary="A residual network with one block a stage; the default above 64x64.",
    )
)
def striate_photo(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> PhotoNet:
    """The same network for every ``image_size``."""
    return PhotoNet(classes=classes, in_channels=in_channels)
