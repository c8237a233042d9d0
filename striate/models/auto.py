"""The network that is trained when nobody names one."""

from __future__ import annotations

SMALL_PIXELS = 64 * 64  # beyond this a linear layer over the last map grows too large


def auto(image_size: tuple[int, int], channels: int, classes: int, images: int) -> str:
    """Name of the network for these data: striate_small for images to 64x64, else striate_photo.

    ``image_size`` is (H, W) in pixels, ``images`` the number of training images. So far the size decides
    alone: both networks take any ``channels`` and ``classes``, and for no number of ``images`` has another
    choice been measured to be better.
    """
    height, width = image_size
    return "striate_small" if height * width <= SMALL_PIXELS else "striate_photo"
