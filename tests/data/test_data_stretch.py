"""A whole picture brought to one size by torch is what Pillow makes of it, but for the rounding of a byte."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from striate.data.preprocess import FILTERS
from striate.data.stretch import stretched


@pytest.mark.parametrize("resample", ["bilinear", "bicubic"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [(90, 130), (32, 32), (7, 400), (2, 2)])
def test_as_pillow_does(side: tuple[int, int], channels: int, resample: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*side, channels), dtype=np.uint8)
    picture = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
    expected = np.asarray(picture.resize((48, 32), FILTERS[resample])).reshape(32, 48, channels)
    found = stretched(pixels, (32, 48), resample)
    assert found.dtype == np.uint8 and (found.flags.c_contiguous or channels == 1)
    assert np.abs(found.astype(int) - expected).max() <= 2
