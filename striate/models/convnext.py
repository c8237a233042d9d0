"""ConvNeXt: Liu, Mao, Wu, Feichtenhofer, Darrell, Xie, "A ConvNet for the 2020s", 2022, arXiv 2201.03545.

ResNet with every decision of the vision transformers that a convolution can take: patches as stem, large
depthwise windows, one norm and one activation a block, few and separate halvings. torchvision's networks and
names. Shapes of convnext_tiny at 224x224:

    features.0 (96, 56, 56)    1 (96, 56, 56)    2, 3 (192, 28, 28)    4, 5 (384, 14, 14)    6, 7 (768, 7, 7)
    avgpool (768, 1, 1)    classifier (classes)
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from striate.layers import LayerNorm2d, Permute, StochasticDepth
from striate.models.card import Card
from striate.models.registry import register

AUTHORS = "Zhuang Liu, Hanzi Mao, Chao-Yuan Wu, Christoph Feichtenhofer, Trevor Darrell, Saining Xie"
LAYER_SCALE = 1e-6  # the paper's table 5; CaiT, arXiv 2103.17239
EPSILON = 1e-6  # of the layer norms: the authors' code


class CNBlock(nn.Module):
    """(N, channels, H, W) to the same: 7x7 depthwise, norm, four times as wide, GELU, back; scaled, added."""

    def __init__(self, channels: int, drop: float) -> None:
        super().__init__()
        self.layer_scale = nn.Parameter(torch.full((channels, 1, 1), LAYER_SCALE))
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, 7, padding=3, groups=channels),
            Permute(0, 2, 3, 1),
            nn.LayerNorm(channels, EPSILON),
            nn.Linear(channels, 4 * channels),
            nn.GELU(),
            nn.Linear(4 * channels, channels),
            Permute(0, 3, 1, 2),
        )
        self.stochastic_depth = StochasticDepth(drop)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.stochastic_depth(self.layer_scale * self.block(x))
        return x + change


def start_narrow_(module: nn.Module) -> None:
    """Weights from a normal distribution of deviation 0.02, cut at 2 in absolute value; biases 0.

    As the vision transformers start (the authors' code, facebookresearch/ConvNeXt).
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class ConvNeXt(nn.Module):
    """(N, in_channels, H, W) to (N, classes); the same network for every ``image_size``.

    ``drop`` is the probability, in training, that the last block is left out; it grows evenly from 0 at
    the first (arXiv 1603.09382).
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int],
        blocks: tuple[int, int, int, int],
        drop: float,
        *,
        classes: int,
        in_channels: int,
        image_size: tuple[int, int],
    ) -> None:
        super().__init__()
        drops = iter(torch.linspace(0, drop, sum(blocks), device="cpu").tolist())
        self.features = nn.Sequential(
            nn.Sequential(nn.Conv2d(in_channels, widths[0], 4, 4), LayerNorm2d(widths[0], EPSILON))
        )
        for index, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            if index > 0:
                before = widths[index - 1]
                halving = nn.Sequential(LayerNorm2d(before, EPSILON), nn.Conv2d(before, width, 2, 2))
                self.features.append(halving)
            self.features.append(nn.Sequential(*(CNBlock(width, next(drops)) for _ in range(count))))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            LayerNorm2d(widths[-1], EPSILON), nn.Flatten(), nn.Linear(widths[-1], classes)
        )
        start_narrow_(self)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.avgpool(self.features(x)))
        return scores


# fmt: off
NETWORKS = (  # section 3; drop rates of table 5
    # size     widths of stages 1-4     blocks        drop  parameters   multiply-adds    top-1
    ("tiny",  (96, 192, 384, 768),    (3, 3, 9, 3),   0.1,  28_589_128,  4_455_531_264, 82.520),
    ("small", (96, 192, 384, 768),    (3, 3, 27, 3),  0.4,  50_223_688,  8_683_712_256, 83.616),
    ("base",  (128, 256, 512, 1024),  (3, 3, 27, 3),  0.5,  88_591_464, 15_354_729_472, 84.062),
    ("large", (192, 384, 768, 1536),  (3, 3, 27, 3),  0.5, 197_767_336, 34_361_433_600, 84.414),
)
# fmt: on

for size, widths, blocks, drop, parameters, multiply_adds, top1 in NETWORKS:
    register(
        Card(
            name=f"convnext_{size}",
            title=f"ConvNeXt-{size[0].upper()}",
            year=2022,
            authors=AUTHORS,
            paper="A ConvNet for the 2020s",
            doi_or_arxiv="arXiv:2201.03545",
            image_size=(224, 224),
            channels=3,
            classes=1000,
            parameters=parameters,
            multiply_adds=multiply_adds,
            summary="A ResNet remade with the choices of vision transformers.",
            top1=top1,
            top1_source="torchvision, weights IMAGENET1K_V1",
            notes=("Gradients inside the blocks begin a million times smaller: layer scale starts at 1e-6.",),
        )
    )(partial(ConvNeXt, widths, blocks, drop))
