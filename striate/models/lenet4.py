"""LeNet-4: Bottou et al., "Comparison of classifier methods", ICPR 1994; the paragraph followed here is that
of LeCun et al. 1998 (10.1109/5.726791), section III.C.

    layer    maps   size    window          parameters   source of what is odd
    C1          4   28x28   5x5                    104
    S2          8   14x14   2x2, halves             16   "8 subsampling maps connected in pairs" to C1
    C3         16   10x10   5x5, C3_TABLE        1,216   the table is not printed, see there
    S4         16   5x5     2x2, halves             32
    F5        120   1       all of S4           48,120   "a fully connected layer with 120 units"
    output     10   1       all of F5            1,210

The paragraph gives "about 260,000 multiply-add steps" and "about 17,000 free parameters". The first fits: the
connections of this table are 262,306. The second cannot be: F5 alone, connected to all of S4, has 48,120.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from striate.layers import ScaledTanh, Subsampling, TableConv2d
from striate.models.card import Card
from striate.models.lenet import PUBLISHED_SIZE, last_map, margin, start
from striate.models.registry import register

# Not printed anywhere we know of. Three inputs for each map of C3 give the published multiply-adds; which
# three is our choice, in the manner of LeNet-5's table I: first neighbours, then every second map, in a ring.
C3_TABLE = tuple(
    tuple(sorted((first + step) % 8 for step in steps))
    for steps in ((0, 1, 2), (0, 2, 4))
    for first in range(8)
)


class Pairs(nn.Module):
    """(N, C, H, W) to (N, 2C, H, W): the maps, and once more the maps. Captured as Concat."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, x], dim=1)


@register(
    Card(
        name="lenet4",
        title="LeNet-4",
        year=1994,
        authors="Léon Bottou, Corinna Cortes, John S. Denker, Harris Drucker, Isabelle Guyon, Lawrence D. "
        "Jackel, Yann LeCun, Urs A. Müller, Eduard Säckinger, Patrice Simard, Vladimir Vapnik",
        paper="Comparison of classifier methods: a case study in handwritten digit recognition, ICPR 1994",
        doi_or_arxiv="10.1109/ICPR.1994.576879",
        image_size=(PUBLISHED_SIZE, PUBLISHED_SIZE),
        channels=1,
        classes=10,
        parameters=50_698,
        multiply_adds=247_600,
        top1=98.9,
        top1_source="MNIST, 1.1 % error: LeCun et al. 1998 (10.1109/5.726791), section III.C",
        summary="LeNet-1 grown for the larger set of digits that became MNIST.",
        notes=(
            "Known only from a paragraph; its 'about 17,000 free parameters' contradict its layers, which "
            "have 50,698; its 'about 260,000 multiply-adds' fit them (262,306 connections, biases included).",
            "The connections of C3 are ours: three maps each, for which the multiply-adds leave room.",
        ),
        deliberate=(("saturating-activation", "tanh, as published."),),
    )
)
def lenet4(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """(N, in_channels, H, W) to (N, classes); images below 32x32 are padded in C1 as for LeNet-5."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        c1=nn.Conv2d(in_channels, 4, 5, padding=margin(image_size)),
        tanh1=ScaledTanh(),
        pairs=Pairs(),
        s2=Subsampling(8),
        tanh2=ScaledTanh(),
        c3=TableConv2d(8, C3_TABLE, 5),
        tanh3=ScaledTanh(),
        s4=Subsampling(16),
        tanh4=ScaledTanh(),
    )
    height, width = last_map(layers, (2, in_channels, *image_size))
    layers |= OrderedDict(
        flatten=nn.Flatten(),
        f5=nn.Linear(16 * height * width, 120),
        tanh5=ScaledTanh(),
        output=nn.Linear(120, classes),
    )
    return nn.Sequential(layers).apply(start)
