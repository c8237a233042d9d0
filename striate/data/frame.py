"""The two forms in which a decoded image is kept until a batch takes it: fitted, and whole.

fitted   what ``Preprocessing`` makes of it: all that evaluation and the bundle ever see
whole    all of a photograph, stretched to one size a little larger than the network's input, so that training
         can cut random parts out of it without decoding it again; its width / height is kept beside it
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

from striate.data.decode import decode_image, decode_picture
from striate.data.jpeg import simplejpeg
from striate.data.likeness import hash_of, hashes_of_frames
from striate.data.listing import ImageFile
from striate.data.preprocess import Preprocessing
from striate.errors import ImageError

_LARGER = 8 / 7  # 256 for 224, as has been usual since Krizhevsky et al. 2012
_STEP = 32


@dataclass(frozen=True)
class Frame:
    """How images are kept."""

    preprocessing: Preprocessing
    whole: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        height, width = self.preprocessing.image_size
        if self.whole:
            height, width = (_STEP * -(-round(_LARGER * side) // _STEP) for side in (height, width))
        return height, width, self.preprocessing.channels

    def draw(self, file: ImageFile) -> NDArray[np.uint8]:
        """The pixels (H, W, C) of a file. Raises ImageError, which names it, and OSError."""
        if not self.whole:
            return self.preprocessing.fit_picture(self._picture(file))
        from striate.data.stretch import stretched

        height, width, channels = self.shape
        array = decode_image(file.read(), channels, name=file.key, at_least=self._at_least)
        return stretched(array, (height, width), self.preprocessing.resample)

    def draw_all(self, files: Sequence[ImageFile]) -> tuple[NDArray[np.uint8], list[bytes | str]]:
        """Pixels (n, H, W, C) of the files that decode, and for each file the hash of its picture (see
        ``likeness``), or the sentence why it does not decode."""
        pixels = np.empty((len(files), *self.shape), np.uint8)
        told: list[bytes | str] = []
        good: list[int] = []
        for place, file in enumerate(files):
            try:
                if self.whole:
                    pixels[len(good)], likeness = self.draw(file), b""
                else:
                    picture = self._picture(file)
                    pixels[len(good)], likeness = self.preprocessing.fit_picture(picture), hash_of(picture)
            except ImageError as error:
                told.append(str(error))
            except OSError as error:
                told.append(f"{file.key} cannot be read ({error.strerror or error}): check the file.")
            else:
                told.append(likeness)
                good.append(place)
        pixels = pixels[: len(good)]
        if self.whole and good:
            for place, likeness in zip(good, hashes_of_frames(pixels), strict=True):
                told[place] = likeness
        return pixels, told

    def _picture(self, file: ImageFile) -> Image.Image:
        return decode_picture(file.read(), self.shape[2], name=file.key, at_least=self._at_least)

    @property
    def _at_least(self) -> tuple[int, int]:
        """Twice the size is kept before the filter, so that decoding JPEGs small does not show."""
        share = 1.0 if self.whole else self.preprocessing.crop
        height, width, _ = self.shape
        return round(2 * height / share), round(2 * width / share)

    def to_json(self) -> dict[str, Any]:
        """Everything that decides the pixels."""
        made_by = {"pillow": PIL.__version__} | ({"torch": _version("torch")} if self.whole else {})
        if self.whole and simplejpeg() is not None:
            made_by["simplejpeg"] = _version("simplejpeg")
        return {"whole": self.whole, "shape": list(self.shape), **made_by} | {
            name: getattr(self.preprocessing, name) for name in ("resize", "resample", "crop")
        }

    @property
    def name(self) -> str:
        """The same for the same form."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:16]


@cache
def _version(package: str) -> str:
    return version(package)  # reads and parses what is installed: 3 ms
