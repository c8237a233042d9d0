"""Simple and complex cells with a classifier: Hubel, Wiesel, "Receptive fields, binocular interaction and
functional architecture in the cat's visual cortex", 1962.

    part         maps   size at 28   what it is
    simple         64   28           Gabor filters of 2 wavelengths, 8 orientations, 4 phases; fixed
    complex        16   28           energy over the phases; fixed
    pool           16    7           means over 4x4: where matters less
    norm           16    7           one contrast for all cells
    classifier                       linear; with the norm all that is trained

The paper describes cells. Their formulas are later (Daugman 1985, Adelson and Bergen 1985: see
layers/visual_cells), and pool, norm and classifier are ours, to measure what such cells are good for.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from striate.layers import ComplexCells, SimpleCells
from striate.models.card import Card
from striate.models.probe import output_shape
from striate.models.registry import register

WAVELENGTHS = (3.0, 6.0)  # pixels, an octave apart, as wide as each filter is tuned
ORIENTATIONS = 8  # 22.5 degrees apart, about the half width of tuning
SIZE = 13  # pixels; the bell of the longer wave has fallen to 20 % at the edge


@register(
    Card(
        name="simple_complex_cells",
        title="Simple and complex cells",
        year=1962,
        authors="David H. Hubel, Torsten N. Wiesel",
        paper="Receptive fields, binocular interaction and functional architecture in the cat's visual "
        "cortex",
        doi_or_arxiv="10.1113/jphysiol.1962.sp006837",
        image_size=(28, 28),
        channels=1,
        classes=10,
        parameters=7_882,
        multiply_adds=8_487_584,
        summary="The cells that convolutional networks copy, fixed, under a linear classifier.",
        notes=(
            "The 10,816 numbers of the filters are fixed, and are not counted.",
            "The squares and roots of the complex cells are not among the multiply-adds.",
            "Of the embedded Fashion-MNIST's 2,000 test images 86.5 % are named right after 15 passes over "
            "4,000 training images; by a linear classifier on the pixels, trained alike, 83.6 %.",
        ),
        deliberate=(("stem-too-coarse", "Complex cells pool once, and nothing follows."),),
    )
)
def simple_complex_cells(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """(N, in_channels, H, W) to (N, classes), for one ``image_size``."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        simple=SimpleCells(in_channels, WAVELENGTHS, ORIENTATIONS, SIZE),
        complex=ComplexCells(),
        pool=nn.AvgPool2d(4),
        norm=nn.BatchNorm2d(len(WAVELENGTHS) * ORIENTATIONS),
        flatten=nn.Flatten(),
    )
    _, values = output_shape(nn.Sequential(layers), (2, in_channels, *image_size))
    return nn.Sequential(layers | OrderedDict(classifier=nn.Linear(values, classes)))
