"""Images that need not lie in memory: they have a shape and are indexed as an array (N, H, W, C) of uint8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from striate.data.frame import Frame
from striate.data.listing import ImageFile
from striate.data.scan import in_threads

Rows = NDArray[np.int64]


class Pixels(Protocol):
    """An array of images, or what behaves like one when it is indexed along its first axis."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, C)."""

    @property
    def dtype(self) -> Any:
        """uint8."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any:
        """One image (H, W, C) for an integer, else (n, H, W, C)."""


class Lazy:
    """What the two below share: an index becomes row numbers, ``take`` gets them."""

    dtype = np.dtype(np.uint8)
    ndim = 4
    kept = False
    """Whether the images lie decoded somewhere."""

    def __init__(self, count: int, shape: tuple[int, int, int]) -> None:
        self.shape = (count, *shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        rows = np.arange(len(self))[key]
        return self.take(rows) if isinstance(rows, np.ndarray) else self.take(np.array([rows]))[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All of it in memory: for whoever must have an array."""
        return np.asarray(self.take(np.arange(len(self))), dtype=dtype)

    def take(self, rows: Rows) -> NDArray[np.uint8]:
        """The images with these numbers, (n, H, W, C)."""
        raise IndexError("Lazy images are taken by their subclasses.")


class Decoded(Lazy):
    """Files that are decoded whenever they are asked for, by a few threads."""

    def __init__(self, files: Sequence[ImageFile], frame: Frame) -> None:
        super().__init__(len(files), frame.shape)
        self._files, self._frame = files, frame

    def take(self, rows: Rows) -> NDArray[np.uint8]:
        """Raises ImageError, which names a file that cannot be decoded any more, and OSError."""
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)
        drawn = in_threads(lambda row: self._frame.draw(self._files[row]), rows.tolist())
        for place, pixels in enumerate(drawn):
            images[place] = pixels
        return images


class Selected(Lazy):
    """Some rows of other pixels, none of them copied before it is asked for."""

    def __init__(self, base: Pixels, rows: Rows) -> None:
        height, width, channels = base.shape[1:]
        super().__init__(len(rows), (height, width, channels))
        self._base, self._rows = base, rows
        self.kept = isinstance(base, np.ndarray) or getattr(base, "kept", False)

    def take(self, rows: Rows) -> NDArray[np.uint8]:
        return np.asarray(self._base[self._rows[rows]])

    def where_they_lie(self, rows: Rows) -> list[NDArray[np.uint8]] | None:
        """The images with these numbers, none of them copied; None where they are not decoded yet."""
        if isinstance(self._base, Selected):
            return self._base.where_they_lie(self._rows[rows])
        return (
            list(map(self._base.__getitem__, self._rows[rows]))
            if isinstance(self._base, np.ndarray)
            else None
        )


def chosen(pixels: Pixels, rows: NDArray[Any]) -> Pixels:
    """Some rows: a copy where the pixels lie in memory, else a selection."""
    return pixels[rows] if isinstance(pixels, np.ndarray) else Selected(pixels, rows)
