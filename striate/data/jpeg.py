"""Plain JPEGs at their full size, in half of Pillow's time: simplejpeg decodes straight into an array.

Both are libjpeg-turbo and give the same bytes. Whatever is out of the ordinary is Pillow's: files with a
fault, pictures that may lie on their side, CMYK, a change of colours, a JPEG decoded small, sizes beyond the
limits; and everything where simplejpeg is missing.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

_COLOURS = {(1, "Gray"): "GRAY", (3, "YCbCr"): "RGB", (3, "RGB"): "RGB"}
_MAY_TURN = (b"Exif\0", b"ns.adobe.com/xap", b"MPF\0")  # these hold an orientation, or several pictures


def decode_plain(
    content: bytes, channels: int, at_least: tuple[int, int] | None, least_side: int, most_pixels: int
) -> NDArray[np.uint8] | None:
    """The pixels (H, W, channels) of a file's content; None: this is for Pillow, fault or not.

    ``least_side``, ``most_pixels``: of an image that is taken.
    """
    module = simplejpeg()
    if module is None or not content.startswith(b"\xff\xd8") or any(mark in content for mark in _MAY_TURN):
        return None
    try:
        height, width, colours, _ = module.decode_jpeg_header(content)
        wanted = _COLOURS.get((channels, colours))
        small = min(height, width)
        scaled = at_least is not None and small >= 2 * max(at_least)
        if wanted is None or scaled or small < least_side or height * width > most_pixels:
            return None
        pixels: NDArray[np.uint8] = module.decode_jpeg(content, wanted)
    except Exception:  # Pillow decides whether this is a fault, and says which
        return None
    return pixels


@cache
def simplejpeg() -> ModuleType | None:
    """The module, where it is installed (it belongs to striate[train])."""
    try:
        return import_module("simplejpeg")
    except ImportError:
        return None
