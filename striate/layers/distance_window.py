"""A window of fixed weights that fall with the distance from its centre."""

from __future__ import annotations

from math import hypot

import torch
from torch import Tensor


def distance_window(height: int, width: int, decay: float) -> Tensor:
    """(height, width): ``decay`` (0 to 1) to the power of the distance from the centre, in cells.

    Equal distances have equal weights to the last bit. torch's vectors do not promise that: the lanes of a
    register and what is left over at the end of a row may be rounded by different code.
    """

    def weight(row: int, column: int) -> float:
        near, far = sorted((abs(2 * row - height + 1), abs(2 * column - width + 1)))
        return float(decay ** (hypot(near, far) / 2))

    return torch.tensor([[weight(row, column) for column in range(width)] for row in range(height)])
