"""Pictures that any network tells apart, for trainings of seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def draw_pictures(root: Path, each: int = 10) -> Path:
    """``root`` as a class folder of two, dark/ and light/, with ``each`` noisy pictures of 12 x 12 pixels."""
    random = np.random.default_rng(0)
    for label, light in (("dark", 0), ("light", 128)):
        (root / label).mkdir()
        for number in range(each):
            pixels = (random.integers(0, 128, (12, 12, 3)) + light).astype(np.uint8)
            Image.fromarray(pixels).save(root / label / f"{number}.png")
    return root
