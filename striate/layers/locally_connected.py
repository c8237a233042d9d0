"""A convolution without weight sharing: every place of the map has a kernel of its own."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.ops.word import integer, per_axis


class LocallyConnected2d(nn.Module):
    """(N, in_channels, H, W) to (N, out_channels, H', W'), for images of one ``image_size`` (H, W) only.

    Every output sees a window as in a convolution, through weights that no other place uses: local receptive
    fields alone, as in LeCun 1989, "Generalization and network design strategies", net 3. There are
    H' * W' times the weights of the convolution, and as many multiply-adds.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        image_size: tuple[int, int],
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.kernel_size = integer("kernel_size", kernel_size)
        self.stride, self.padding = integer("stride", stride), integer("padding", padding, 0)
        height, width = per_axis("image_size", image_size, 2)
        self.rows, self.columns = (
            (size + 2 * self.padding - self.kernel_size) // self.stride + 1 for size in (height, width)
        )
        taps = integer("in_channels", in_channels) * self.kernel_size**2
        places = self.rows * self.columns
        bound = 1 / math.sqrt(taps)  # as torch starts a convolution
        self.weight = nn.Parameter(torch.empty(places, taps, out_channels).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(places, 1, out_channels).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        windows = F.unfold(x, self.kernel_size, padding=self.padding, stride=self.stride)  # (N, taps, places)
        y = torch.baddbmm(self.bias, windows.permute(2, 0, 1), self.weight)  # (places, N, out)
        return y.permute(1, 2, 0).reshape(len(x), -1, self.rows, self.columns)
