"""Random variations of training images, a whole batch at a time.

Mirroring and shifting are one gather by row and column numbers; cutting out a part and scaling it up is
one affine sampling; erasing sets a square to the mean of the data. What happens to a sample depends on
(seed, epoch, index) alone: see ``draws``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from striate.data.augment import Augmentation
from striate.data.draws import uniform

_FLIP, _DOWN, _RIGHT, _ERASE_Y, _ERASE_X, _AREA, _ASPECT, _PART_Y, _PART_X, _BRIGHT, _CONTRAST = range(1, 12)
_WIDEST = 4 / 3  # aspect ratios of parts lie between 3/4 and 4/3


class Varied:
    """The draws of one batch, and their effect on it.

    Made from (augmentation, seed, epoch, the samples' indices); ``pixels`` is applied to bytes,
    ``values`` to what has been normalised.
    """

    def __init__(self, how: Augmentation, seed: int, epoch: int, index: NDArray[np.int64]) -> None:
        self._how = how
        self._where = (seed, epoch, index)

    def pixels(self, images: Tensor) -> Tensor:
        """Flip and shift uint8 (N, H, W, C)."""
        how = self._how
        if not how.flip and not how.shift:
            return images
        n, height, width = images.shape[:3]
        rows, columns = np.arange(height)[None], np.arange(width)[None]
        if how.flip:
            columns = np.where(self._draw(_FLIP) < 0.5, width - 1 - columns, columns)
        if how.shift:
            rows = _mirrored(rows + self._whole(_DOWN, -how.shift, how.shift), height)
            columns = _mirrored(columns + self._whole(_RIGHT, -how.shift, how.shift), width)
        sample = torch.arange(n, device=images.device)[:, None, None]
        return images[
            sample, _on(images, np.broadcast_to(rows, (n, height)))[:, :, None], _on(images, columns)[:, None]
        ]

    def values(self, images: Tensor, range_: Tensor) -> Tensor:
        """Scale, light and erase float (N, H, W, C); ``range_`` (C,) is what 0 to 255 became."""
        how = self._how
        if how.scale_crop is not None:
            images = self._part(images, how.scale_crop)
        if how.contrast or how.brightness:
            images = self._light(images, range_)
        if how.erase:
            images = images.masked_fill(self._square(images, how.erase), 0)
        return images

    def _part(self, images: Tensor, shares: tuple[float, float]) -> Tensor:
        """A part of each image, sampled bilinearly to full size."""
        area = shares[0] + self._draw(_AREA) * (shares[1] - shares[0])
        aspect = _WIDEST ** (2 * self._draw(_ASPECT) - 1)
        tall, wide = np.minimum(1, np.sqrt(area / aspect)), np.minimum(1, np.sqrt(area * aspect))
        down, right = (1 - tall) * (2 * self._draw(_PART_Y) - 1), (1 - wide) * (2 * self._draw(_PART_X) - 1)
        zero = np.zeros_like(tall)
        affine = np.stack([wide, zero, right, zero, tall, down], axis=-1).reshape(-1, 2, 3)
        planes = images.permute(0, 3, 1, 2)
        grid = F.affine_grid(_on(images, affine).to(images.dtype), list(planes.shape), align_corners=False)
        sampled = F.grid_sample(planes, grid, padding_mode="border", align_corners=False)
        return sampled.permute(0, 2, 3, 1).contiguous()

    def _light(self, images: Tensor, range_: Tensor) -> Tensor:
        """Contrast about each image's own mean, then brightness."""
        factor = 1 + self._how.contrast * (2 * self._draw(_CONTRAST) - 1)
        added = self._how.brightness * (2 * self._draw(_BRIGHT) - 1)
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        factors, sums = (_on(images, d).to(images.dtype)[:, :, None, None] for d in (factor, added))
        return (images - mean) * factors + mean + sums * range_

    def _square(self, images: Tensor, side: int) -> Tensor:
        """Which values lie in the erased square: bool (N, H, W, 1)."""
        height, width = images.shape[1:3]
        top, left = self._whole(_ERASE_Y, 0, height - side), self._whole(_ERASE_X, 0, width - side)
        in_rows, in_columns = (
            (np.arange(length) >= start) & (np.arange(length) < start + side)
            for length, start in ((height, top), (width, left))
        )
        return _on(images, in_rows)[:, :, None, None] & _on(images, in_columns)[:, None, :, None]

    def _draw(self, stream: int) -> NDArray[np.float64]:
        """A number in [0, 1) for each sample: (N, 1)."""
        seed, epoch, index = self._where
        return uniform(seed, epoch, index, stream)[:, None]

    def _whole(self, stream: int, least: int, most: int) -> NDArray[np.int64]:
        """A whole number between two bounds, both included, for each sample: (N, 1)."""
        return least + np.floor(self._draw(stream) * (most - least + 1)).astype(np.int64)


def _mirrored(position: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Positions outside 0..length-1 mirrored at the border pixel, as in reflect padding."""
    folded = np.abs(position)
    return np.where(folded >= length, 2 * (length - 1) - folded, folded)


def _on(images: Tensor, array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(array, order="C")).to(images.device, non_blocking=True)
