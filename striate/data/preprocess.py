"""From any image to the numbers a network was trained on. Training's evaluation and the bundle share this.

file -> upright uint8 pixels -> one size -> value / 255 -> (value - mean) / std, channel by channel
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from striate.data.decode import decode_picture, pixels_of
from striate.errors import ArgumentError

SMALL_SIDE = 64  # up to this side an image is "small": kept whole, stretched if it must be

_RESIZES = ("stretch", "shorter_side_center_crop")
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes a network's input."""

    image_size: tuple[int, int]
    """Height and width in pixels."""
    channels: int
    """1 (grey) or 3 (RGB)."""
    resize: str = "stretch"
    """"stretch" to the size, or scale the shorter side and cut the middle: "shorter_side_center_crop"."""
    resample: str = "bilinear"
    """Filter of the resizing, with antialiasing: "bilinear" or "bicubic"."""
    mean: tuple[float, ...] = (0.0,)
    """Subtracted from each channel of values 0 to 1; one number is meant for all channels."""
    std: tuple[float, ...] = (1.0,)
    """Divides each channel afterwards."""
    crop: float = 1.0
    """The part of the shorter side that "shorter_side_center_crop" keeps, above 0 and up to 1."""

    def __post_init__(self) -> None:
        height, width = self.image_size
        if min(height, width) < 1:
            raise ArgumentError(f"image_size must be two positive sizes, got {self.image_size}: give (H, W).")
        if self.channels not in (1, 3):
            raise ArgumentError(f"channels must be 1 (grey) or 3 (RGB), got {self.channels}: give 1 or 3.")
        if self.resize not in _RESIZES:
            raise ArgumentError(f"resize must be one of {_RESIZES}, got {self.resize!r}: give one of them.")
        if not 0 < self.crop <= 1:
            raise ArgumentError(
                f"crop must be above 0 and at most 1, got {self.crop}: give the part of the side to keep."
            )
        if self.resample not in FILTERS:
            raise ArgumentError(
                f"resample must be one of {tuple(FILTERS)}, got {self.resample!r}: give one of them."
            )
        for field in ("mean", "std"):
            numbers = getattr(self, field)
            if len(numbers) not in (1, self.channels):
                raise ArgumentError(
                    f"{field} must have one number a channel ({self.channels}), got {len(numbers)}: "
                    "give as many as there are channels."
                )
            object.__setattr__(self, field, tuple(numbers) * (self.channels // len(numbers)))
        if min(self.std) <= 0:
            raise ArgumentError(f"std must be positive, got {self.std}: give the channels' deviations.")

    @classmethod
    def for_size(cls, image_size: tuple[int, int], channels: int) -> Preprocessing:
        """The rule of resizing that goes with a size: small images are kept whole, photographs cropped."""
        resize = "stretch" if max(image_size) <= SMALL_SIDE else "shorter_side_center_crop"
        return cls(image_size=image_size, channels=channels, resize=resize)

    def decode_one(self, source: Path | bytes, name: str | None = None) -> NDArray[np.uint8]:
        """One image file (or its bytes) as uint8 (H, W, C). Raises ImageError, which names the file."""
        # Twice the size is kept before the filter, so that decoding JPEGs small does not show.
        at_least = (round(2 * self.image_size[0] / self.crop), round(2 * self.image_size[1] / self.crop))
        return self.fit_picture(decode_picture(source, self.channels, name=name, at_least=at_least))

    def decode(self, sources: Iterable[Path | str | bytes]) -> NDArray[np.uint8]:
        """Image files (or their bytes) as uint8 (N, H, W, C). Raises ImageError, which names the file."""
        images = [self.decode_one(Path(s) if isinstance(s, str) else s) for s in sources]
        shape = (len(images), *self.image_size, self.channels)
        return np.stack(images) if images else np.zeros(shape, np.uint8)

    def fit(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pixels (h, w, C) of any size, resized to (H, W, C)."""
        return self.fit_picture(Image.fromarray(pixels[:, :, 0] if self.channels == 1 else pixels))

    def fit_picture(self, picture: Image.Image) -> NDArray[np.uint8]:
        """A picture of mode "L" or "RGB", as ``channels`` says, resized to uint8 (H, W, C)."""
        height, width = self.image_size
        crops = self.resize == "shorter_side_center_crop"
        if picture.size != (width, height) or (crops and self.crop < 1):
            box = (0.0, 0.0, float(picture.width), float(picture.height))
            if crops:
                box = _middle(picture.width, picture.height, width / height, self.crop)
            picture = picture.resize((width, height), FILTERS[self.resample], box=box)
        return pixels_of(picture)

    def normalise(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, H, W, C) to float32 (N, C, H, W)."""
        scale, offset = self.scale_and_offset()
        return np.ascontiguousarray((images * scale + offset).transpose(0, 3, 1, 2))

    def scale_and_offset(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The normalisation as one multiplication and one addition of byte values, a pair a channel."""
        mean, std = np.array(self.mean), np.array(self.std)
        return (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Plain values for preprocessing.json; ``from_json`` is its inverse."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Preprocessing:
        """The value that ``to_json`` wrote; ArgumentError when a field is missing, unknown or wrong."""
        try:
            values: dict[str, Any] = {
                key: tuple(v) if isinstance(v, list) else v for key, v in record.items()
            }
            return cls(**values)
        except (TypeError, ValueError) as error:
            raise ArgumentError(f"preprocessing cannot be read ({error}): write it with to_json.") from None


def _middle(width: int, height: int, aspect: float, share: float) -> tuple[float, float, float, float]:
    """``share`` of the largest box of the given width / height, in the middle: (left, top, right, bottom)."""
    box_width, box_height = share * min(width, height * aspect), share * min(height, width / aspect)
    left, top = (width - box_width) / 2, (height - box_height) / 2
    return (left, top, left + box_width, top + box_height)
