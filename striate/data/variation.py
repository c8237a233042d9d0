"""Random variations of training images, a whole batch at a time, in the order in which they are carried out.

shape    mirrored, shifted, a part cut out: bytes
look     RandAugment, light, colour; then normalised
holes    squares and rectangles set to the mean of the data

What happens to a sample depends on (seed, epoch, index) alone: see ``draws``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.data.augment import Augmentation
from striate.data.colour import mean_of, scaled, tinted
from striate.data.cropping import Pictures, cut, middle_boxes, moved, random_boxes
from striate.data.draws import uniform
from striate.data.randaugment import randaugment

_FLIP, _DOWN, _RIGHT, _ERASE_Y, _ERASE_X, _AREA, _ASPECT, _PART_Y, _PART_X, _BRIGHT, _CONTRAST = range(1, 12)
_SATURATION, _HUE, _HOLE, _HOLE_AREA, _HOLE_ASPECT, _HOLE_Y, _HOLE_X = range(12, 19)
_OPERATION, _SIGN = 100, 200  # the first streams of RandAugment's rounds
_HOLES = (0.02, 0.33)  # share of the area; aspect from 0.3 to 1 / 0.3


class Varied:
    """The draws of one batch, and their effect on it: (augmentation, seed, epoch, the samples' indices)."""

    def __init__(self, how: Augmentation, seed: int, epoch: int, index: NDArray[np.int64]) -> None:
        self._how = how
        self._where = (seed, epoch, index)

    def shape(
        self,
        images: Tensor | Pictures,
        size: tuple[int, int],
        aspects: NDArray[np.float32] | None = None,
        middle: float = 1.0,
    ) -> Tensor:
        """uint8 (n, h, w, C) to (n, H, W, C) of 0 to 255; one by one only where parts are cut out of them.

        ``aspects`` (n,) is given where the images are whole photographs, stretched: width / height as they
        were. Where no part is cut out at random, the middle is, of the share ``middle``, as in evaluation.
        """
        how, result = self._how, size[1] / size[0]
        if how.scale_crop is None and aspects is None and isinstance(images, Tensor):
            return self._moved(images)
        stored = images[0].shape[1] / images[0].shape[0]
        wide = np.array([stored] * len(images) if aspects is None else aspects, np.float64)
        if how.scale_crop is not None:
            draws = [self._draw(stream) for stream in (_AREA, _ASPECT, _PART_Y, _PART_X)]
            boxes = random_boxes(np.concatenate(draws, axis=1), how.scale_crop, wide, result)
        else:
            boxes = middle_boxes(wide, result, middle)
        if how.shift:
            down, right = (self._whole(stream, -how.shift, how.shift)[:, 0] for stream in (_DOWN, _RIGHT))
            boxes = moved(boxes, down / size[0], right / size[1])
        return cut(images, boxes, self._flipped(), size)

    def look(self, images: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
        """0 to 255 (n, H, W, C) to normalised floats: value * ``scale`` + ``offset``, both (C,)."""
        how = self._how
        if how.rand_augment is not None:
            rounds, magnitude = how.rand_augment
            operations, signs = (
                np.concatenate([self._draw(first + k) for k in range(rounds)], axis=1)
                for first in (_OPERATION, _SIGN)
            )
            images = randaugment(images.float(), operations, signs, magnitude, -offset / scale)
        if how.saturation or how.hue:
            factor, turn = 1 + how.saturation * self._around(_SATURATION), how.hue * self._around(_HUE)
            images = tinted(images.float(), _on(images, factor).float(), _on(images, turn).float())
        if how.brightness or how.contrast:
            factor, added = 1 + how.contrast * self._around(_CONTRAST), how.brightness * self._around(_BRIGHT)
            stretch, plus = (_on(images, draws).float()[:, None] for draws in (factor, 255 * added))
            offset = ((1 - stretch) * mean_of(images)[:, None] + plus) * scale + offset
            scale = stretch * scale
        return scaled(images, scale, offset)

    def holes(self, values: Tensor) -> Tensor:
        """Normalised floats (n, H, W, C) with squares and rectangles at the mean, which is 0."""
        size = values.shape[1:3]
        if self._how.erase:
            top, left = (
                self._whole(stream, 0, length - self._how.erase)
                for stream, length in zip((_ERASE_Y, _ERASE_X), size, strict=True)
            )
            values = values.masked_fill(_inside(values, top, left, self._how.erase, self._how.erase), 0)
        if self._how.erasing:
            tall, wide = self._hole(size)
            top = np.floor(self._draw(_HOLE_Y) * (size[0] - tall + 1))
            left = np.floor(self._draw(_HOLE_X) * (size[1] - wide + 1))
            values = values.masked_fill(_inside(values, top, left, tall, wide), 0)
        return values

    def _moved(self, images: Tensor) -> Tensor:
        """Flip and shift uint8 (N, H, W, C): one gather by row and column numbers."""
        how = self._how
        if not how.flip and not how.shift:
            return images
        if not how.shift:  # which is most of the work of a batch of small images
            return torch.where(_on(images, self._flipped())[:, None, None, None], images.flip(2), images)
        n, height, width = images.shape[:3]
        rows, columns = np.arange(height)[None], np.arange(width)[None]
        if how.flip:
            columns = np.where(self._flipped()[:, None], width - 1 - columns, columns)
        if how.shift:
            rows = _mirrored(rows + self._whole(_DOWN, -how.shift, how.shift), height)
            columns = _mirrored(columns + self._whole(_RIGHT, -how.shift, how.shift), width)
        sample = torch.arange(n, device=images.device)[:, None, None]
        return images[
            sample, _on(images, np.broadcast_to(rows, (n, height)))[:, :, None], _on(images, columns)[:, None]
        ]

    def _flipped(self) -> NDArray[np.bool_]:
        """Which images are mirrored: (n,). Half of them by chance, and in every other epoch the other half:
        two epochs show both sides of each (alternating flip, arXiv:2404.00498)."""
        seed, epoch, index = self._where
        return ((uniform(seed, 0, index, _FLIP) < 0.5) ^ (epoch % 2 == 1)) & self._how.flip

    def _hole(self, size: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Height and width of a rectangle for each image, (n, 1); 0 where there is none."""
        area = _HOLES[0] + self._draw(_HOLE_AREA) * (_HOLES[1] - _HOLES[0])
        aspect = 0.3 ** (2 * self._draw(_HOLE_ASPECT) - 1)
        there = self._draw(_HOLE) < self._how.erasing
        tall, wide = np.sqrt(area * aspect) * size[0], np.sqrt(area / aspect) * size[1]
        return np.rint(np.minimum(tall, size[0])) * there, np.rint(np.minimum(wide, size[1])) * there

    def _draw(self, stream: int) -> NDArray[np.float64]:
        """A number in [0, 1) for each sample: (N, 1)."""
        seed, epoch, index = self._where
        return uniform(seed, epoch, index, stream)[:, None]

    def _around(self, stream: int) -> NDArray[np.float64]:
        """A number from -1 to 1 for each sample: (N,)."""
        return 2 * self._draw(stream)[:, 0] - 1

    def _whole(self, stream: int, least: int, most: int) -> NDArray[np.int64]:
        """A whole number between two bounds, both included, for each sample: (N, 1)."""
        return least + np.floor(self._draw(stream) * (most - least + 1)).astype(np.int64)


def _inside(images: Tensor, top: Any, left: Any, tall: Any, wide: Any) -> Tensor:
    """Which values lie in a rectangle given by (n, 1) each: bool (n, H, W, 1)."""
    height, width = images.shape[1:3]
    in_rows, in_columns = (
        (np.arange(length) >= start) & (np.arange(length) < start + side)
        for length, start, side in ((height, top, tall), (width, left, wide))
    )
    return _on(images, in_rows)[:, :, None, None] & _on(images, in_columns)[:, None, :, None]


def _mirrored(position: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Positions outside 0..length-1 mirrored at the border pixel, as in reflect padding."""
    folded = np.abs(position)
    return np.where(folded >= length, 2 * (length - 1) - folded, folded)


def _on(images: Tensor, array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(array, order="C")).to(images.device, non_blocking=True)
