"""From bytes to a network's input: byte * factor + shift, channel by channel, as images were in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scaling:
    """``factors``, ``shifts``: one of each a channel, numbers that float32 has."""

    factors: tuple[float, ...]
    shifts: tuple[float, ...]

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """By NumPy; images (N, C, H, W). Kernels give the same bits."""
        factors, shifts = (
            np.array(each, np.float32).reshape(-1, 1, 1) for each in (self.factors, self.shifts)
        )
        return images * factors + shifts


def channels_last(images: NDArray[Any]) -> bool | None:
    """In which order bytes (N, C, H, W) lie: channel after channel, or (True) pixel after pixel; None: in no
    order that kernels read."""
    if images.flags.c_contiguous:
        return False
    return True if images.transpose(0, 2, 3, 1).flags.c_contiguous else None
