"""A convolution that pads as TensorFlow's 'SAME' does, for networks whose weights were learned that way."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class SameConv2d(nn.Conv2d):
    """(N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride)), without bias.

    The window reaches over the edge by max((ceil(H / stride) - 1) * stride + kernel_size - H, 0) rows of
    zeros, half of them on top, an odd one at the bottom. At stride 2 and even sizes that is one pixel to the
    lower right of where a symmetric padding puts the window, so weights do not carry over between the two.
    Captured as Pad (where a row or column is needed) and Conv2d.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, groups=groups, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        vertical, horizontal = (
            max((-(-size // stride) - 1) * stride + kernel - size, 0)
            for size, kernel, stride in zip(input.shape[2:], self.kernel_size, self.stride, strict=True)
        )
        if vertical or horizontal:
            left, top = horizontal // 2, vertical // 2
            input = F.pad(input, (left, horizontal - left, top, vertical - top))
        return super().forward(input)
