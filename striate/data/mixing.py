"""Two images in one: mixup lays one over the other, cutmix pastes a part of one into the other.

Zhang et al. 2017, arXiv:1710.09412, and Yun et al. 2019, arXiv:1905.04899. The target is mixed by the same
shares. An image's partner is its neighbour in the order of the epoch, so that the two mostly share a batch;
its share is drawn for it alone. All is a function of (seed, epoch, position).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_HALF = np.pi / 4
_STEPS = 4096


@dataclass(frozen=True)
class Mixture:
    """How n images are mixed with their partners. ``share`` (n,): what remains of the image itself, 0 to 1.

    ``boxes`` (n, 4): top, bottom, left, right in pixels of what is pasted; all 0 where the two are laid over
    each other.
    """

    share: NDArray[np.float64]
    boxes: NDArray[np.int64]

    def images(self, own: Tensor, other: Tensor) -> Tensor:
        """Float images (n, H, W, C) of both, mixed."""
        height, width = own.shape[1:3]
        rows, columns = np.arange(height), np.arange(width)
        top, bottom, left, right = self.boxes.T[:, :, None]
        inside = (
            torch.from_numpy((rows >= top) & (rows < bottom))[:, :, None]
            & torch.from_numpy((columns >= left) & (columns < right))[:, None, :]
        )[..., None].to(own.device)
        laid = np.where((self.boxes[:, 1] > self.boxes[:, 0]), 1.0, self.share)
        weight = _column(laid, own)[:, :, None, None]
        return torch.where(inside, other, other + weight * (own - other))

    def targets(self, own: Tensor, other: Tensor) -> Tensor:
        """Targets (n, K) of both, mixed."""
        return other + _column(self.share, own) * (own - other)


def mixture(draws: NDArray[np.float64], mixup: float, cutmix: float, size: tuple[int, int]) -> Mixture:
    """How each of n images is mixed. ``draws`` (n, 4) in [0, 1): which of the two, share, down, right.

    ``mixup`` and ``cutmix`` are the alpha of the Beta distribution of the shares, 0 for never; with both, one
    of them by even chance. ``size`` is (H, W).
    """
    chance = 0.5 if mixup and cutmix else float(bool(cutmix))
    pasted = draws[:, 0] < chance
    share = np.where(pasted, _beta(draws[:, 1], cutmix or 1.0), _beta(draws[:, 1], mixup or 1.0))
    height, width = size
    side = np.sqrt(1 - share)
    middle_y, middle_x = draws[:, 2] * height, draws[:, 3] * width
    top, bottom = (np.clip(np.rint(middle_y + s * side * height / 2), 0, height) for s in (-1, 1))
    left, right = (np.clip(np.rint(middle_x + s * side * width / 2), 0, width) for s in (-1, 1))
    boxes = np.stack([top, bottom, left, right], axis=1).astype(np.int64)
    empty = (bottom <= top) | (right <= left) | ~pasted
    boxes[empty] = 0
    kept = 1 - (bottom - top) * (right - left) / (height * width)  # the border cuts parts off
    return Mixture(np.where(empty, np.where(pasted, 1.0, share), kept), boxes)


def _beta(draw: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """Shares of the Beta(alpha, alpha) distribution from even draws in [0, 1)."""
    places, sums = _table(alpha)
    low = np.minimum(draw, 1 - draw) * 2  # the distribution is symmetric: its lower half is enough
    share = np.sin(np.interp(low, sums, places)) ** 2
    return np.asarray(np.where(draw < 0.5, share, 1 - share))


@cache
def _table(alpha: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angles whose squared sines are shares from 0 to 1/2, and the part of that half that lies below each.

    With share = sin(t)^2 the density is (sin t cos t)^(2 alpha - 1); with t = s^(1 / (2 alpha)) its pole at 0
    is gone, and the trapezoidal rule is exact enough.
    """
    steps = np.linspace(0, 1, _STEPS + 1)
    angles = _HALF * steps ** (1 / (2 * alpha))
    ratio = np.ones_like(angles)
    ratio[1:] = np.sin(angles[1:]) * np.cos(angles[1:]) / angles[1:]
    density = ratio ** (2 * alpha - 1)
    sums = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return angles, sums / sums[-1]


def _column(values: NDArray[np.float64], like: Tensor) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))[:, None].to(like.device)
