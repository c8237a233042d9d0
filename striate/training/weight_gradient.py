"""The gradient of a convolution's weights on small maps, computed as a convolution.

On processors with AVX2 and no AVX-512, oneDNN's kernel for this gradient reaches half the speed of its kernel
for a convolution, and less on small maps. With images and channels exchanged the one is the other: the
input (C, N, H, W), convolved with the output's gradient (K, N, H', W') as its weights, is the gradient
(C, K, kh, kw). The exchange moves both maps in memory, which pays where they are small: see docs/log.md.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_TINY = 7 * 7  # pixels of the output's map up to which it pays for any number of channels from 32 on
_SMALL, _MANY = 14 * 14, 256  # and up to which for so many
_FEW = 32
_VECTOR = 8  # images are the inner axis of the product: whole vectors of float32


def pays(x: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]) -> bool:
    """Whether it is quicker than torch's way, for the input (N, C, H, W) of a convolution without groups."""
    outputs, channels, *window = weight.shape
    if len(x) % _VECTOR or min(window) < 3:
        return False
    rows, columns = (size // step for size, step in zip(x.shape[2:], stride, strict=True))
    fewest = _FEW if rows * columns <= _TINY else _MANY
    return min(channels, outputs) >= fewest and rows * columns <= _SMALL


def weight_gradient(
    x: Tensor, gradient: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """Of ``weight`` (K, C, kh, kw), in its layout: ``x`` (N, C, H, W), ``gradient`` (N, K, H', W')."""
    images, weights = (
        one.transpose(0, 1).contiguous(memory_format=torch.channels_last) for one in (x, gradient)
    )
    found = F.conv2d(images, weights, padding=padding, dilation=stride).transpose(0, 1)
    height, width = weight.shape[2:]
    return torch.empty_like(weight).copy_(found[:, :, :height, :width])
