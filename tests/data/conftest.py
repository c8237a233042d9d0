"""Folders of small pictures to test on."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Draw = Callable[..., Path]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Write a picture of noise that depends on its path (or on ``seed``) below tmp_path; any format."""

    def write(
        name: str, size: tuple[int, int] = (12, 12), mode: str = "RGB", seed: int | None = None
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(zlib.crc32(name.encode()) if seed is None else seed)
        shape = (*size, 3) if mode == "RGB" else size
        Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)).save(path)
        return path

    return write


@pytest.fixture
def pets(draw: Draw, tmp_path: Path) -> Path:
    """Two classes of 20 pictures each, 12 x 12, in colour."""
    for label in ("cat", "dog"):
        for number in range(20):
            draw(f"pets/{label}/{number:02d}.png")
    return tmp_path / "pets"
