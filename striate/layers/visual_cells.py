"""Simple and complex cells: the two stages that Hubel and Wiesel found, as fixed layers.

    simple cells    s[phase] = max(0, image * gabor[phase])          prefer an orientation, and a place
    complex cells   c = sqrt(s[0]^2 + s[90]^2 + s[180]^2 + s[270]^2)   prefer an orientation, wherever it lies

The hierarchy, complex cells that gather from simple ones, is Hubel and Wiesel's (1962,
10.1113/jphysiol.1962.sp006837). The sum of squares is the energy model of Adelson and Bergen 1985
(10.1364/JOSAA.2.000284): max(0, x)^2 + max(0, -x)^2 = x^2, so what is summed are the squares of a quadrature
pair, and the wave's phase falls out.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.layers.gabor import PHASES, gabor_filters
from striate.ops.word import integer

TINY = 1e-12  # added under the root, which has no slope at 0


class SimpleCells(nn.Module):
    """(N, in_channels, H, W) to (N, 4 * cells, H, W), cells = len(wavelengths) * orientations, all fixed.

    The cells see the mean of the channels. The output holds the cells of phase 0 first, then 90, 180, 270;
    in each, those of the first wavelength (pixels), by orientation. Outside the image is 0. The filters are a
    buffer: saved with the network, not trained. Captured as Conv2d and ReLU. Raises ArgumentError as
    ``gabor_filters`` does.
    """

    filters: Tensor

    def __init__(self, in_channels: int, wavelengths: Sequence[float], orientations: int, size: int) -> None:
        super().__init__()
        in_channels = integer("in_channels", in_channels)
        self.wavelengths, self.orientations = tuple(wavelengths), orientations
        filters = gabor_filters(wavelengths, orientations, size).view(-1, 1, size, size)
        self.register_buffer("filters", filters.repeat(1, in_channels, 1, 1) / in_channels)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        cells: Tensor = self.relu(F.conv2d(x, self.filters, padding=self.filters.shape[-1] // 2))
        return cells

    def extra_repr(self) -> str:
        return f"wavelengths={self.wavelengths}, orientations={self.orientations}"


class ComplexCells(nn.Module):
    """(N, 4 * cells, H, W), from ``SimpleCells``, to (N, cells, H, W): the four phases as one energy.

    Captured as Slices, Powers, Adds and SquareRoot.
    """

    def forward(self, x: Tensor) -> Tensor:
        first, second, third, fourth = x.chunk(PHASES, dim=1)
        return torch.sqrt(first**2 + second**2 + third**2 + fourth**2 + TINY)
