"""Parts of images, cut out and brought to one size: all of a batch, each its own part.

Which part: a share of the area and an aspect ratio at random, as in Szegedy et al. 2014, arXiv:1409.4842,
section 6; the aspect is that of the picture as it was taken, however its pixels are stretched in memory.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from striate.data.scan import threads_for_images

Boxes = NDArray[np.float64]
"""(n, 4): top, left, height, width as shares of the image, all inside it."""

_WIDEST = 4 / 3  # aspect ratios of parts lie between 3/4 and 4/3 of that of the result


def random_boxes(
    draws: NDArray[np.float64], shares: tuple[float, float], aspects: NDArray[np.float64], result: float
) -> Boxes:
    """Parts at random. ``draws`` (n, 4) in [0, 1): area, aspect, down, right.

    ``shares``: least and largest share of the area. ``aspects`` (n,): width / height of the images,
    ``result`` that of what the part becomes. What would stick out is cut off.
    """
    area = (shares[0] + draws[:, 0] * (shares[1] - shares[0])) * aspects
    aspect = result * _WIDEST ** (2 * draws[:, 1] - 1)
    tall, wide = np.minimum(1, np.sqrt(area / aspect)), np.minimum(1, np.sqrt(area * aspect) / aspects)
    return np.stack([draws[:, 2] * (1 - tall), draws[:, 3] * (1 - wide), tall, wide], axis=1)


def middle_boxes(aspects: NDArray[np.float64], result: float, share: float) -> Boxes:
    """The largest part of the aspect ``result`` in the middle, times ``share``: what evaluation sees."""
    tall = share * np.minimum(1, aspects / result)
    wide = share * np.minimum(1, result / aspects)
    return np.stack([(1 - tall) / 2, (1 - wide) / 2, tall, wide], axis=1)


def moved(boxes: Boxes, down: NDArray[np.float64], right: NDArray[np.float64]) -> Boxes:
    """The boxes shifted by shares of their own size (n,), as far as the image goes."""
    top = np.clip(boxes[:, 0] + down * boxes[:, 2], 0, 1 - boxes[:, 2])
    left = np.clip(boxes[:, 1] + right * boxes[:, 3], 0, 1 - boxes[:, 3])
    return np.stack([top, left, boxes[:, 2], boxes[:, 3]], axis=1)


Pictures = Sequence[NDArray[np.uint8]]
"""Images (h, w, C), all of one size, each where it lies: of a file that is mapped only the part is read."""


def cut(
    images: Tensor | Pictures, boxes: Boxes, mirrored: NDArray[np.bool_], size: tuple[int, int]
) -> Tensor:
    """The parts of uint8 (n, h, w, C), mirrored left and right where asked, as (n, H, W, C) of 0 to 255.

    On a CPU whole pixels are cut, scaled with antialiasing, and stay uint8: torch's kernel for that is four
    times as quick as one affine sampling of the batch, but takes one processor; a few threads take an image
    each. Elsewhere it is that sampling, and floats.
    """
    if isinstance(images, Tensor):
        if images.device.type != "cpu":
            return _sampled(images, boxes, mirrored, size)
        images = list(images.numpy())
    height, width, channels = images[0].shape
    ends = np.rint((boxes[:, :2] + boxes[:, 2:]) * (height, width)).astype(int)
    begins = np.minimum(np.rint(boxes[:, :2] * (height, width)).astype(int), ends - 1)
    parts = torch.empty(len(images), *size, channels, dtype=torch.uint8)
    where = list(zip(begins.tolist(), ends.tolist(), mirrored.tolist(), strict=True))

    def cut_some(rows: range) -> None:
        for row in rows:
            (top, left), (bottom, right), mirror = where[row]
            part = torch.from_numpy(images[row][top:bottom, left:right].copy())
            part = _scaled(part.flip(1) if mirror else part, size)
            parts[row].numpy()[:] = part.numpy()  # torch's own copy would start threads for each image

    threads = threads_for_images()
    shares = (range(first, len(where), threads) for first in range(threads))
    list(_pool(threads, os.getpid()).map(cut_some, shares))
    return parts


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Threads that stay; those of ``process``, because a forked child has none of its parent's."""
    return ThreadPoolExecutor(threads)


def _scaled(part: Tensor, size: tuple[int, int]) -> Tensor:
    """uint8 (h, w, C) as (H, W, C)."""
    if part.shape[:2] == size:
        return part
    planes = part[None].permute(0, 3, 1, 2)  # in this order torch sees channels last, and keeps it
    scaled = F.interpolate(planes, size=size, mode="bilinear", antialias=True, align_corners=False)
    return scaled[0].permute(1, 2, 0)


def _sampled(images: Tensor, boxes: Boxes, mirrored: NDArray[np.bool_], size: tuple[int, int]) -> Tensor:
    """One affine sampling of the whole batch: float (n, H, W, C)."""
    tall, wide = boxes[:, 2], boxes[:, 3]
    down, right = 2 * boxes[:, 0] + tall - 1, 2 * boxes[:, 1] + wide - 1  # the middles, from -1 to 1
    zero = np.zeros_like(tall)
    affine = np.stack([np.where(mirrored, -wide, wide), zero, right, zero, tall, down], axis=1)
    theta = torch.from_numpy(affine.reshape(-1, 2, 3).astype(np.float32)).to(images.device)
    planes = images.permute(0, 3, 1, 2).float()
    grid = F.affine_grid(theta, [*planes.shape[:2], *size], align_corners=False)
    sampled = F.grid_sample(planes, grid, padding_mode="border", align_corners=False)
    return sampled.permute(0, 2, 3, 1).contiguous()
