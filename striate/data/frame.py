"""The two forms in which a decoded image is kept until a batch takes it: fitted, and whole.

fitted   what ``Preprocessing`` makes of it: all that evaluation and the bundle ever see
whole    all of a photograph, stretched to one size a little larger than the network's input, so that training
         can cut random parts out of it without decoding it again; its width / height is kept beside it
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray

from striate.data.decode import decode_image, decode_picture
from striate.data.jpeg import simplejpeg
from striate.data.likeness import hash_of, hash_of_frame
from striate.data.listing import ImageFile
from striate.data.preprocess import Preprocessing

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

    def draw(self, file: ImageFile) -> tuple[NDArray[np.uint8], bytes]:
        """The pixels (H, W, C) of a file, and the hash of the picture (see ``likeness``).

        Raises ImageError, which names the file, and OSError.
        """
        height, width, channels = self.shape
        share = 1.0 if self.whole else self.preprocessing.crop
        # Twice the size is kept before the filter, so that decoding JPEGs small does not show.
        at_least = (round(2 * height / share), round(2 * width / share))
        if not self.whole:
            picture = decode_picture(file.read(), channels, name=file.key, at_least=at_least)
            return self.preprocessing.fit_picture(picture), hash_of(picture)
        from striate.data.stretch import stretched

        array = decode_image(file.read(), channels, name=file.key, at_least=at_least)
        pixels = stretched(array, (height, width), self.preprocessing.resample)
        return pixels, hash_of_frame(pixels)

    def to_json(self) -> dict[str, Any]:
        """Everything that decides the pixels."""
        made_by = {"pillow": PIL.__version__} | ({"torch": version("torch")} if self.whole else {})
        if self.whole and simplejpeg() is not None:
            made_by["simplejpeg"] = version("simplejpeg")
        return {"whole": self.whole, "shape": list(self.shape), **made_by} | {
            name: getattr(self.preprocessing, name) for name in ("resize", "resample", "crop")
        }

    @property
    def name(self) -> str:
        """The same for the same form."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:16]
