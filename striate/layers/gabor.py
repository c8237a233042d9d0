"""Gabor filters: a wave under a bell, the shape of a simple cell's receptive field.

Hubel, Wiesel 1962 (10.1113/jphysiol.1962.sp006837) found cells in the cat's striate cortex that answer to
bars of one orientation; Daugman 1985 (10.1364/JOSAA.2.001160) gave their fields this form, and Jones, Palmer
1987 (10.1152/jn.1987.58.6.1233) fitted it to measured ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from striate.errors import ArgumentError
from striate.ops.word import integer

PHASES = 4  # 0, 90, 180 and 270 degrees: two quadrature pairs, each the negative of the other
WIDTH = 0.56  # deviation of the bell in wavelengths: tuned to one octave of frequency (Daugman 1985)


def gabor_filters(wavelengths: Sequence[float], orientations: int, size: int) -> Tensor:
    """Filters (4, len(wavelengths), orientations, size, size): phase, wavelength, orientation, row, column.

    ``wavelengths`` in pixels; ``orientations`` are spread evenly from 0 to 180 degrees. Orientation is that
    of the bars, counted anticlockwise from the horizontal. The bell is round, which makes the half width of
    tuning 19 degrees; De Valois, Yund, Hepler 1982 (10.1016/0042-6989(82)90112-2) measured 20 in the middle.
    Each filter sums to zero, so that an even field is not answered, and answers 1 to the wave it is made of.

    Raises ArgumentError for a wavelength below 2 pixels, an even size, or no orientation.
    """
    orientations, size = integer("orientations", orientations), integer("size", size)
    if size % 2 == 0:
        raise ArgumentError(f"size must be odd, so that a filter has a middle, got {size}: add 1.")
    if not wavelengths or min(wavelengths) < 2:
        raise ArgumentError(
            f"wavelengths must be at least 2 pixels, got {tuple(wavelengths)}: shorter waves cannot be drawn."
        )
    position = torch.arange(size, dtype=torch.float64) - size // 2
    up, right = -position[:, None], position[None, :]
    filters = [
        _filter(up * math.cos(angle) - right * math.sin(angle), up**2 + right**2, wavelength, phase)
        for phase in (step * 2 * math.pi / PHASES for step in range(PHASES))
        for wavelength in wavelengths
        for angle in (index * math.pi / orientations for index in range(orientations))
    ]
    return torch.stack(filters).view(PHASES, len(wavelengths), orientations, size, size).float()


def _filter(across: Tensor, distance_squared: Tensor, wavelength: float, phase: float) -> Tensor:
    """One filter; ``across`` is the distance of each pixel from the bar through the middle."""
    bell = torch.exp(-distance_squared / (2 * (WIDTH * wavelength) ** 2))
    wave = torch.cos(2 * math.pi * across / wavelength + phase)
    balanced = bell * (wave - (bell * wave).sum() / bell.sum())
    return balanced / (balanced * wave).sum()
