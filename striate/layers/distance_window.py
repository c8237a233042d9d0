"""A window of fixed weights that fall with the distance from its centre."""

from __future__ import annotations

import torch
from torch import Tensor


def distance_window(height: int, width: int, decay: float) -> Tensor:
    """(height, width): ``decay`` (0 to 1) to the power of the distance from the centre, in cells."""
    rows, columns = (torch.arange(size) - (size - 1) / 2 for size in (height, width))
    return decay ** torch.hypot(rows[:, None], columns[None, :])
