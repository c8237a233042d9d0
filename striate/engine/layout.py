"""How a map lies in memory: [C / lanes][rows][columns][lanes], with a frame of zeros around each plane.

The ``lanes`` channels of one pixel fill one vector, so that a kernel never shuffles; the frame is the padding
of whoever reads the map, so that a kernel never asks whether it is at an edge. Lanes beyond the last channel
hold finite numbers that meet zero weights. ``lanes`` 1 is the plain planar order, in which images arrive.
A vector of F features is a map of F channels and one pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Frame = tuple[int, int, int, int]  # top, left, bottom, right


@dataclass(frozen=True)
class Layout:
    """``first``, ``total``: the map is a part of a larger one, of ``total`` blocks, from block ``first`` on.

    total 0: it stands alone. All offsets count float32 values from the start of the image's buffer.
    """

    channels: int
    height: int
    width: int
    lanes: int
    frame: Frame = (0, 0, 0, 0)
    first: int = 0
    total: int = 0

    @property
    def blocks(self) -> int:
        return -(-self.channels // self.lanes)

    @property
    def rows(self) -> int:
        return self.frame[0] + self.height + self.frame[2]

    @property
    def row(self) -> int:
        """From one row to the next."""
        return (self.frame[1] + self.width + self.frame[3]) * self.lanes

    @property
    def block(self) -> int:
        """From one block to the next: an odd number of vectors, which spreads blocks over the cache."""
        pixels = self.rows * self.row // self.lanes
        return (pixels + (pixels % 2 == 0 and pixels > 1)) * self.lanes

    @property
    def size(self) -> int:
        """Of the whole buffer for one image."""
        return (self.total or self.blocks) * self.block

    @property
    def start(self) -> int:
        """The offset of channel 0, row 0, column 0."""
        return self.first * self.block + self.frame[0] * self.row + self.frame[1] * self.lanes

    @property
    def pixels(self) -> int:
        return self.height * self.width

    def framed(self, frame: Frame) -> Layout:
        return replace(self, frame=frame)

    def view(self, buffer: NDArray[np.float32]) -> NDArray[np.float32]:
        """(images, blocks, H, W, lanes) of a flat buffer for several images: a view, frame left out."""
        steps = (self.size, self.block, self.row, self.lanes, 1)
        shape = (buffer.size // self.size, self.blocks, self.height, self.width, self.lanes)
        strides = tuple(4 * step for step in steps)
        return np.lib.stride_tricks.as_strided(buffer[self.start :], shape, strides)

    def plain(self, view: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """A ``view`` as its user knows it, (images, C, H, W) or (images, C); None if that takes a copy."""
        if self.lanes == 1:
            return view[..., 0]
        if self.pixels == 1 and self.block == self.lanes:
            steps = (view.strides[0], view.itemsize)
            return np.lib.stride_tricks.as_strided(view, (len(view), self.channels), steps)
        return None

    def write(self, view: NDArray[np.float32], x: NDArray[np.float32]) -> None:
        """Lay x (images, C, H, W) into a ``view``; lanes beyond the last channel become 0."""
        images, lanes = len(x), self.lanes
        if lanes == 1:
            view[:images, ..., 0] = x
            return
        full, rest = divmod(self.channels, lanes)
        if full:
            blocked = x[:, : full * lanes].reshape(images, full, lanes, self.height, self.width)
            view[:images, :full] = blocked.transpose(0, 1, 3, 4, 2)
        if rest:
            view[:images, full, ..., :rest] = x[:, full * lanes :].transpose(0, 2, 3, 1)
            view[:images, full, ..., rest:] = 0

    def read(self, view: NDArray[np.float32], images: int) -> NDArray[np.float32]:
        """A copy of a ``view``: (images, C, H, W); of a map of one pixel it may be (images, C)."""
        plain = self.plain(view[:images])
        if plain is not None:
            return plain.copy()
        shape = (images, self.channels, self.height, self.width)
        found = np.empty(shape, np.float32)
        full, rest = divmod(self.channels, self.lanes)
        blocked = found[:, : full * self.lanes].reshape(images, full, self.lanes, self.height, self.width)
        blocked[...] = view[:images, :full].transpose(0, 1, 4, 2, 3)
        if rest:
            found[:, full * self.lanes :] = view[:images, full, ..., :rest].transpose(0, 3, 1, 2)
        return found


def joined(a: Frame, b: Frame) -> Frame:
    """A frame wide enough for both."""
    return (max(a[0], b[0]), max(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))


def at_least_zero(*sides: int) -> Frame:
    top, left, bottom, right = (max(0, side) for side in sides)
    return top, left, bottom, right
