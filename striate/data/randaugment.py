"""RandAugment on a batch: each image gets its own few operations of fourteen, all at one magnitude.

Cubuk et al. 2019, arXiv:1909.13719. Operations and ranges are those that most training scripts use (magnitude
0 to 30): shear to 0.3, translation to 45% of the side, rotation to 30 degrees, factors from 0.1 to 1.9,
posterising to 4 bits, solarising from 255 down. What is moved in from outside is ``fill``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from striate.data.colour import grey_of

MOST = 30  # magnitude
_Amount = Tensor  # (n,): -1 to 1, sign and share of the range


def randaugment(
    images: Tensor, ops: NDArray[np.float64], signs: NDArray[np.float64], magnitude: int, fill: Tensor
) -> Tensor:
    """Vary float images (n, H, W, C) of 0 to 255; the result lies there too.

    ``ops`` and ``signs`` (n, rounds) in [0, 1) choose operation and sign of each round; ``fill`` is (C,).
    """
    images = images.clone()
    for chosen, sign in zip((ops * len(_OPERATIONS)).astype(int).T, signs.T, strict=True):
        amount = torch.from_numpy(np.where(sign < 0.5, -1.0, 1.0) * magnitude / MOST).float()
        for number, operation in enumerate(_OPERATIONS):
            rows = torch.from_numpy(np.flatnonzero(chosen == number)).to(images.device)
            if len(rows):
                varied = operation(images[rows], amount.to(images.device)[rows], fill)
                images[rows] = varied.round().clamp(0, 255)
    return images


def _warped(images: Tensor, rows: list[list[Tensor]], fill: Tensor) -> Tensor:
    """Affine sampling; ``rows`` is the 2 x 3 matrix from the result to the image, lengths in half sides."""
    theta = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
    planes = (images - fill).permute(0, 3, 1, 2)
    grid = F.affine_grid(theta, list(planes.shape), align_corners=False)
    return F.grid_sample(planes, grid, align_corners=False).permute(0, 2, 3, 1) + fill


def _shear_x(images: Tensor, amount: _Amount, fill: Tensor) -> Tensor:
    one, zero = torch.ones_like(amount), torch.zeros_like(amount)
    tall = images.shape[1] / images.shape[2]
    return _warped(images, [[one, 0.3 * amount * tall, zero], [zero, one, zero]], fill)


def _shear_y(images: Tensor, amount: _Amount, fill: Tensor) -> Tensor:
    one, zero = torch.ones_like(amount), torch.zeros_like(amount)
    wide = images.shape[2] / images.shape[1]
    return _warped(images, [[one, zero, zero], [0.3 * amount * wide, one, zero]], fill)


def _translate_x(images: Tensor, amount: _Amount, fill: Tensor) -> Tensor:
    one, zero = torch.ones_like(amount), torch.zeros_like(amount)
    return _warped(images, [[one, zero, 0.9 * amount], [zero, one, zero]], fill)


def _translate_y(images: Tensor, amount: _Amount, fill: Tensor) -> Tensor:
    one, zero = torch.ones_like(amount), torch.zeros_like(amount)
    return _warped(images, [[one, zero, zero], [zero, one, 0.9 * amount]], fill)


def _rotate(images: Tensor, amount: _Amount, fill: Tensor) -> Tensor:
    angle = amount * math.radians(30)
    cos, sin, zero = torch.cos(angle), torch.sin(angle), torch.zeros_like(angle)
    tall = images.shape[1] / images.shape[2]
    return _warped(images, [[cos, -sin * tall, zero], [sin / tall, cos, zero]], fill)


def _identity(images: Tensor, amount: _Amount, fill: Tensor) -> Tensor:
    return images


def _towards(images: Tensor, other: Tensor, amount: _Amount) -> Tensor:
    """``other`` at a factor of 0, the image at 1, beyond it above 1; amounts of -1 to 1 are 0.1 to 1.9."""
    factor = (1 + 0.9 * amount)[:, None, None, None]
    return other + factor * (images - other)


def _brightness(images: Tensor, amount: _Amount, fill: Tensor) -> Tensor:
    return _towards(images, torch.zeros_like(images), amount)


def _colour(images: Tensor, amount: _Amount, fill: Tensor) -> Tensor:
    return _towards(images, grey_of(images), amount)


def _contrast(images: Tensor, amount: _Amount, fill: Tensor) -> Tensor:
    return _towards(images, grey_of(images).mean(dim=(1, 2, 3), keepdim=True), amount)


def _sharpness(images: Tensor, amount: _Amount, fill: Tensor) -> Tensor:
    """Towards a smoothed image, whose border stays as it is."""
    if min(images.shape[1:3]) < 3:
        return images
    channels = images.shape[3]
    window = torch.ones(3, 3, device=images.device)
    window[1, 1] = 5
    kernel = (window / 13).expand(channels, 1, 3, 3)
    smooth = images.clone()
    inner = F.conv2d(images.permute(0, 3, 1, 2), kernel, groups=channels)
    smooth[:, 1:-1, 1:-1] = inner.permute(0, 2, 3, 1)
    return _towards(images, smooth, amount)


def _posterize(images: Tensor, amount: _Amount, fill: Tensor) -> Tensor:
    step = 2 ** (4 * amount.abs()).round()[:, None, None, None]
    return (images / step).floor() * step


def _solarize(images: Tensor, amount: _Amount, fill: Tensor) -> Tensor:
    threshold = 255 * (1 - amount.abs())[:, None, None, None]
    return torch.where(images >= threshold, 255 - images, images)


def _autocontrast(images: Tensor, amount: _Amount, fill: Tensor) -> Tensor:
    """The darkest value of each channel becomes 0, the lightest 255."""
    least, most = images.amin(dim=(1, 2), keepdim=True), images.amax(dim=(1, 2), keepdim=True)
    stretched = (images - least) * (255 / (most - least).clamp(min=1))
    return torch.where(most > least, stretched, images)


def _equalize(images: Tensor, amount: _Amount, fill: Tensor) -> Tensor:
    """Every shade about equally often in each channel: the histogram's running sum as a look-up table."""
    n, height, width, channels = images.shape
    shades = images.round().long().permute(0, 3, 1, 2).reshape(n * channels, -1)
    table = torch.zeros(n * channels, 256, dtype=torch.long, device=images.device)
    table.scatter_add_(1, shades, torch.ones_like(shades))
    last = (table > 0).long().mul(torch.arange(256, device=images.device)).amax(dim=1, keepdim=True)
    step = (table.sum(dim=1, keepdim=True) - table.gather(1, last)) // 255
    lookup = (table.cumsum(dim=1) - table + step // 2) // step.clamp(min=1)
    equal = lookup.clamp(0, 255).gather(1, shades)
    result = torch.where(step > 0, equal, shades).view(n, channels, height, width)
    return result.permute(0, 2, 3, 1).to(images.dtype)


_OPERATIONS: tuple[Callable[[Tensor, _Amount, Tensor], Tensor], ...] = (
    _identity,
    _shear_x,
    _shear_y,
    _translate_x,
    _translate_y,
    _rotate,
    _brightness,
    _colour,
    _contrast,
    _sharpness,
    _posterize,
    _solarize,
    _autocontrast,
    _equalize,
)
