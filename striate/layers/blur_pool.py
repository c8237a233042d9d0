"""Subsampling that looks before it skips: a blur, then the stride."""

from __future__ import annotations

from math import comb

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.errors import ShapeError
from striate.ops.word import integer


class BlurPool2d(nn.Module):
    """(N, C, H, W) to (N, C, ceil(H / stride), ceil(W / stride)): each map blurred, then thinned out.

    Zhang 2019, arXiv 1904.11486: what is finer than two steps of the new grid cannot be told on it, and would
    come and go as the picture moves by a pixel; the blur removes it first. Instead of ``MaxPool2d(2)`` write
    ``Sequential(MaxPool2d(2, stride=1), BlurPool2d(channels))``, instead of a convolution of stride 2 one of
    stride 1 and this.

    ``kernel_size`` 2, 3, 5 are the paper's Rect-2, Tri-3 and Bin-5: [1 1], [1 2 1], [1 4 6 4 1], divided by
    their sum; edges are mirrored, the odd pixel after. No parameters: ``kernel`` is a buffer, (C, 1, k, k).
    Captured as Pad (reflect) and Conv2d with ``groups`` = C.

    Raises ArgumentError for sizes below 1, ShapeError for images too small to be mirrored.
    """

    kernel: Tensor

    def __init__(self, channels: int, kernel_size: int = 3, stride: int = 2) -> None:
        super().__init__()
        self.channels = integer("channels", channels)
        self.kernel_size, self.stride = integer("kernel_size", kernel_size), integer("stride", stride)
        row = torch.tensor(
            [comb(self.kernel_size - 1, i) for i in range(self.kernel_size)], dtype=torch.float
        )
        kernel = row.outer(row) / row.sum() ** 2
        self.register_buffer("kernel", kernel.expand(self.channels, 1, -1, -1).clone())

    def forward(self, x: Tensor) -> Tensor:
        before, after = (self.kernel_size - 1) // 2, self.kernel_size // 2
        if min(x.shape[-2:]) <= after:
            raise ShapeError(
                f"the input of BlurPool2d must have more than {after} pixels on each side, "
                f"got {tuple(x.shape)}: use a smaller kernel_size than {self.kernel_size}, or larger images."
            )
        mirrored = F.pad(x, (before, after, before, after), mode="reflect")
        return F.conv2d(mirrored, self.kernel, stride=self.stride, groups=self.channels)

    def extra_repr(self) -> str:
        return f"{self.channels}, kernel_size={self.kernel_size}, stride={self.stride}"
