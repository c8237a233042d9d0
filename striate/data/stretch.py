"""A whole picture brought to one size by torch, whose kernel for bytes is twice as quick as Pillow's.

Only what trains keeps photographs whole, and there torch is installed. Evaluation and the bundle use Pillow.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F


def stretched(pixels: NDArray[np.uint8], size: tuple[int, int], resample: str) -> NDArray[np.uint8]:
    """uint8 (h, w, C) as (H, W, C), with antialiasing; ``resample`` is "bilinear" or "bicubic"."""
    own = pixels if pixels.flags.writeable else pixels.copy()  # torch warns of what it must not write to
    planes = torch.from_numpy(own)[None].permute(0, 3, 1, 2)  # in this order torch sees channels last
    scaled = F.interpolate(planes, size=size, mode=resample, antialias=True, align_corners=False)
    return scaled[0].permute(1, 2, 0).numpy()
