"""How training images are varied at random: the settings.

Sources: shift and mirror, Krizhevsky et al. 2012; part of random area and aspect, Szegedy et al. 2014,
arXiv:1409.4842; erasing a square (cutout), DeVries and Taylor 2017, arXiv:1708.04552; erasing a rectangle,
Zhong et al. 2017, arXiv:1708.04896; RandAugment, Cubuk et al. 2019, arXiv:1909.13719; mixup, Zhang et al.
2017, arXiv:1710.09412; cutmix, Yun et al. 2019, arXiv:1905.04899.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from striate.errors import ArgumentError, nearest

_TYPES: dict[str, tuple[type, ...]] = {
    "flip": (bool,),
    "shift": (int,),
    "erase": (int,),
    "scale_crop": (tuple, type(None)),
    "rand_augment": (tuple, type(None)),
} | dict.fromkeys(("brightness", "contrast", "saturation", "hue", "erasing", "mixup", "cutmix"), (int, float))
_MOST_OPERATIONS, _MOST_MAGNITUDE, _MOST_ALPHA = 14, 30, 10


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
    saturation: float = 0.0
    """Stretch or shrink the distances from grey by up to this share; colour images only."""
    hue: float = 0.0
    """Turn the colours by up to this part of the full circle, to either side; colour images only."""
    erasing: float = 0.0
    """How often a rectangle of 2 to 33% of the area is set to the mean of the data, 0 to 1."""
    rand_augment: tuple[int, int] | None = None
    """RandAugment: operations on each image, and their magnitude, 0 to 30."""
    mixup: float = 0.0
    """Lay two images and their targets over each other, in shares of Beta(mixup, mixup); 0: never."""
    cutmix: float = 0.0
    """Paste a part of another image, its area of Beta(cutmix, cutmix); with mixup, one of the two."""

    def __post_init__(self) -> None:
        for field, types in _TYPES.items():
            value = getattr(self, field)
            if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
                raise ArgumentError(
                    f"{field} must be {self.__annotations__[field]}, got {value!r}: give that."
                )
        for field in ("shift", "erase"):
            if getattr(self, field) < 0:
                raise ArgumentError(
                    f"{field} must be 0 or more pixels, got {getattr(self, field)}: give 0 for none."
                )
        for field in ("brightness", "contrast", "saturation"):
            _between(field, getattr(self, field), 1, below=True)
        _between("hue", self.hue, 0.5)
        _between("erasing", self.erasing, 1)
        for field in ("mixup", "cutmix"):
            _between(field, getattr(self, field), _MOST_ALPHA)
        _check_shares(self.scale_crop)
        _check_randaugment(self.rand_augment)

    @property
    def mixes(self) -> bool:
        """Whether images are mixed, so that targets are shares of classes."""
        return bool(self.mixup or self.cutmix)

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


def _between(field: str, value: float, most: float, *, below: bool = False) -> None:
    """0 to ``most``, which is itself not allowed where ``below``."""
    if math.isfinite(value) and value >= 0 and (value < most if below else value <= most):
        return
    raise ArgumentError(f"{field} must lie between 0 and {most:g}, got {value}: give 0 for none.")


def _check_shares(shares: tuple[float, float] | None) -> None:
    if shares is None:
        return
    numbers = len(shares) == 2 and all(isinstance(share, (int, float)) for share in shares)
    if not numbers or not 0 < shares[0] <= shares[1] <= 1:
        raise ArgumentError(
            f"scale_crop must be two shares of the area, 0 < least <= most <= 1, got {shares}: "
            "give for example (0.35, 1.0), or None."
        )


def _check_randaugment(chosen: tuple[int, int] | None) -> None:
    if chosen is None:
        return
    whole = len(chosen) == 2 and all(isinstance(n, int) and not isinstance(n, bool) for n in chosen)
    if not whole or not (1 <= chosen[0] <= _MOST_OPERATIONS and 0 <= chosen[1] <= _MOST_MAGNITUDE):
        raise ArgumentError(
            f"rand_augment must be two whole numbers, operations (1 to {_MOST_OPERATIONS}) and magnitude "
            f"(0 to {_MOST_MAGNITUDE}), got {chosen}: give for example (2, 9), or None."
        )
