"""How training images are varied at random: the settings, and what usually suits a data set.

Sources: shift and mirror, Krizhevsky et al. 2012; part of random area and aspect, Szegedy et al. 2014,
arXiv:1409.4842; erasing a square (cutout), DeVries and Taylor 2017, arXiv:1708.04552.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from striate.data.dataset import Dataset
from striate.errors import ArgumentError, nearest

_TYPES: dict[str, tuple[type, ...]] = {
    "flip": (bool,),
    "shift": (int,),
    "erase": (int,),
    "scale_crop": (tuple, type(None)),
    "brightness": (int, float),
    "contrast": (int, float),
}


@dataclass(frozen=True)
class Augmentation:
    """How training images are varied; the default is not at all."""

    flip: bool = False
    """Mirror left and right, every second time. Wrong for digits and letters."""
    shift: int = 0
    """Move by up to this many pixels up, down, left and right; the border is mirrored in."""
    erase: int = 0
    """Side in pixels of a square, anywhere, set to the mean of the data."""
    scale_crop: tuple[float, float] | None = None
    """Cut out a part whose area lies between these shares of the image, and scale it to full size."""
    brightness: float = 0.0
    """Add up to this share of the full range of values, up or down."""
    contrast: float = 0.0
    """Stretch or shrink the distances from the image's mean by up to this share."""

    def __post_init__(self) -> None:
        for field, types in _TYPES.items():
            if not isinstance(getattr(self, field), types):
                rule = self.__annotations__[field]
                raise ArgumentError(f"{field} must be {rule}, got {getattr(self, field)!r}: give that.")
        for field in ("shift", "erase"):
            if getattr(self, field) < 0:
                raise ArgumentError(
                    f"{field} must be 0 or more pixels, got {getattr(self, field)}: give 0 for none."
                )
        for field in ("brightness", "contrast"):
            if not 0 <= getattr(self, field) < 1:
                raise ArgumentError(
                    f"{field} must lie between 0 and 1, got {getattr(self, field)}: give 0 for none."
                )
        least, most = self.scale_crop or (1, 1)
        if not 0 < least <= most <= 1:
            raise ArgumentError(
                f"scale_crop must be two shares of the area, 0 < least <= most <= 1, got {self.scale_crop}: "
                "give for example (0.35, 1.0), or None."
            )

    def check_fits(self, image_size: tuple[int, int]) -> None:
        """Raise ArgumentError when a shift or a square is as large as an image of (H, W) pixels."""
        for field in ("shift", "erase"):
            if getattr(self, field) >= min(image_size):
                raise ArgumentError(
                    f"{field} must be smaller than the image ({image_size[0]}x{image_size[1]}), "
                    f"got {getattr(self, field)} pixels: give a smaller one."
                )

    def to_json(self) -> dict[str, Any]:
        """Plain values for settings.json."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Augmentation:
        """The value that ``to_json`` wrote, or some of its fields. Raises ArgumentError."""
        known = [field.name for field in fields(cls)]
        for name in record:
            if name not in known:
                raise ArgumentError(
                    f"augmentation must name fields among {', '.join(known)}, got {name!r}: "
                    + (nearest(name, known) or "give one of them.")
                )
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in record.items()}
        return cls(**values)


def preset(dataset: Dataset) -> Augmentation:
    """What usually suits a data set, by its kind, its name and its images per class.

    grey-small: clothes (fashion-*) are mirrored, shifted by 1 and erased by 8 pixels at 28x28; of other
    grey images nobody knows whether they are digits, so they are never mirrored.
    colour-small: mirrored, shifted by an eighth, erased by a quarter of the side.
    photographs: mirrored, parts of the area; larger ones and more light where classes have few images.
    """
    side = min(dataset.image_size)
    if dataset.kind == "photographs":
        few = len(dataset.train) < 500 * len(dataset.classes)
        light = 0.2 if few else 0.1
        return Augmentation(flip=True, scale_crop=(0.35, 1.0), brightness=light, contrast=light)
    if dataset.kind == "colour-small":
        return Augmentation(flip=True, shift=max(1, side // 8), erase=side // 4)
    if dataset.source.startswith("fashion-"):
        return Augmentation(flip=True, shift=1, erase=max(1, 2 * side // 7))
    return Augmentation(shift=max(1, side // 14), erase=side // 7)
