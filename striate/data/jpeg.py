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
_PLAIN = {colours for _, colours in _COLOURS}
_MARK, _SCAN = 0xFF, 0xDA  # what a marker begins with; the marker of a scan
_MAY_TURN = (b"Exif\0", b"ns.adobe.com/xap", b"MPF\0")  # these hold an orientation, or several pictures


def plain_size(content: bytes, least_side: int, most_pixels: int) -> tuple[tuple[int, int], bool] | None:
    """Height and width of an image, and whether it is grey; None: this is for Pillow, fault or not.

    ``least_side``, ``most_pixels``: of an image that is taken.
    """
    found = _header(content, least_side, most_pixels)
    return (found[:2], found[2] == "Gray") if found is not None else None


def decode_plain(
    content: bytes, channels: int, at_least: tuple[int, int] | None, least_side: int, most_pixels: int
) -> NDArray[np.uint8] | None:
    """The pixels (H, W, channels) of a file's content; None and the rest: as ``plain_size``."""
    module, found = simplejpeg(), _header(content, least_side, most_pixels)
    if module is None or found is None:
        return None
    height, width, colours = found
    wanted = _COLOURS.get((channels, colours))
    if wanted is None or (at_least is not None and min(height, width) >= 2 * max(at_least)):
        return None
    try:
        pixels: NDArray[np.uint8] = module.decode_jpeg(content, wanted)
    except Exception:  # Pillow decides whether this is a fault, and says which
        return None
    return pixels


def _header(content: bytes, least_side: int, most_pixels: int) -> tuple[int, int, str] | None:
    """Height, width and colours of a JPEG without anything out of the ordinary."""
    module = simplejpeg()
    if module is None or not content.startswith(b"\xff\xd8"):
        return None
    head = _segments(content)
    if any(mark in head for mark in _MAY_TURN):
        return None
    try:
        height, width, colours, _ = module.decode_jpeg_header(content)
    except Exception:  # likewise
        return None
    plain = colours in _PLAIN and min(height, width) >= least_side and height * width <= most_pixels
    return (height, width, colours) if plain else None


def _segments(content: bytes) -> bytes:
    """What stands before the first scan; all of it where the segments do not follow each other.

    Marks among the bytes of the pixels mean nothing, and Pillow reads none after them.
    """
    place, last = 2, len(content) - 4
    while place <= last and content[place] == _MARK:
        marker = content[place + 1]
        if marker == _SCAN:
            return content[:place]
        if marker == _MARK:  # filling
            return content
        place += 2 + max(2, content[place + 2] << 8 | content[place + 3])
    return content


@cache
def simplejpeg() -> ModuleType | None:
    """The module, where it is installed (it belongs to striate[train])."""
    try:
        return import_module("simplejpeg")
    except ImportError:
        return None
