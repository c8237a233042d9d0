"""The network that is trained when nobody names one."""

from __future__ import annotations

SMALL_PIXELS = 64 * 64  # beyond this a linear layer over the last map grows too large


def auto(image_size: tuple[int, int]) -> str:
    """Name of the network for images of ``image_size`` (H, W): striate_small to 64x64, else striate_photo."""
    height, width = image_size
    return "striate_small" if height * width <= SMALL_PIXELS else "striate_photo"
