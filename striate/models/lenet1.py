"""LeNet-1: LeCun et al., "Handwritten digit recognition with a back-propagation network", NIPS 1989 (printed
1990). The name is that of LeCun et al. 1998.

    layer    maps   size    window         weights   biases   links to each unit
    H1          4   24x24   5x5                100        4   26
    H2          4   12x12   2x2, halves          4        4   5
    H3         12   8x8     5x5, H3_TABLE      500       12   26 or 51
    H4         12   4x4     2x2, halves         12       12   5
    output     10   1       all of H4        1,920       10   193

The paper counts 2,578 independent parameters and 98,442 connections; both follow from these rows.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from striate.layers import ScaledTanh, Subsampling, TableConv2d
from striate.models.card import Card
from striate.models.lenet import last_map, start
from striate.models.registry import register

# Table 1 of the paper: the maps of H2 that each of the 12 maps of H3 sees. Two halves that do not mix.
H3_TABLE = ((0,), (0, 1), (0, 1), (1,), (0, 1), (0, 1), (2,), (2, 3), (2, 3), (3,), (2, 3), (2, 3))


@register(
    Card(
        name="lenet1",
        title="LeNet-1",
        year=1990,
        authors="Yann LeCun, Bernhard Boser, John S. Denker, Donnie Henderson, Richard E. Howard, "
        "Wayne Hubbard, Lawrence D. Jackel",
        paper="Handwritten digit recognition with a back-propagation network, NIPS 2 (1989), 396-404",
        doi_or_arxiv=None,
        image_size=(28, 28),
        channels=1,
        classes=10,
        parameters=2_578,
        multiply_adds=91_520,
        top1=98.3,
        top1_source="MNIST, 1.7 % error: LeCun et al. 1998 (10.1109/5.726791), section III.C",
        summary="The first convolutional network with subsampling that was trained by backpropagation.",
        notes=(
            "The digits are 16x16, in the middle of the 28x28 image.",
            "The paper's squashed outputs learn targets of +-1 by squared error; here the last layer gives "
            "the sums before the squashing, which order the classes alike and suit cross-entropy.",
            "The weights of the subsampling are trained: without them the count of 2,578 does not come out.",
        ),
        deliberate=(("saturating-activation", "tanh, as published."),),
    )
)
def lenet1(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """(N, in_channels, H, W) to (N, classes). Weights start between -2.4/F and 2.4/F, F the inputs of a
    unit."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        h1=nn.Conv2d(in_channels, 4, 5),
        tanh1=ScaledTanh(),
        h2=Subsampling(4),
        tanh2=ScaledTanh(),
        h3=TableConv2d(4, H3_TABLE, 5),
        tanh3=ScaledTanh(),
        h4=Subsampling(12),
        tanh4=ScaledTanh(),
    )
    height, width = last_map(layers, (2, in_channels, *image_size))
    layers |= OrderedDict(flatten=nn.Flatten(), output=nn.Linear(12 * height * width, classes))
    return nn.Sequential(layers).apply(start)
