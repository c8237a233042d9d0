"""Pixels as a PNG inside a data URI: a picture that needs no second file."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image


def data_uri(pixels: np.ndarray, max_side: int = 96) -> str:
    """``pixels`` uint8 (H, W) or (H, W, 1 or 3), made smaller if a side is longer than ``max_side`` pixels.

    Small images keep their size: the page enlarges them without blurring.
    """
    picture = Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)
    picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
