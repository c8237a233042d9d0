"""The network that is trained, or fine-tuned, when nobody names one."""

from __future__ import annotations

from striate.models.pretrained import LITE0, PRETRAINED

SMALL_PIXELS = 64 * 64  # beyond this a linear layer over the last map grows too large
FINE_TUNED = "efficientnet_lite0"
LARGER = {"striate_base": "striate_large"}
"""By the network that is taken unasked, what makes more of a long training."""


def auto(image_size: tuple[int, int]) -> tuple[str, str | None]:
    """Name of the network for images of (H, W) pixels, and the weights that it starts from (None: random).

    striate_base for images to 64x64. Photographs: EfficientNet-Lite0 from its weights on ImageNet where
    ``striate[pretrained]`` is installed, whatever their number, else striate_photo. From 120 photographs of
    ten classes the first learns what the second cannot: see docs/log.md.
    """
    height, width = image_size
    if height * width <= SMALL_PIXELS:
        return "striate_base", None
    return (FINE_TUNED, PRETRAINED) if LITE0.is_installed() else ("striate_photo", None)
