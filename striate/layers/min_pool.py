"""Minimum pooling, which torch.nn does not have."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from striate import ops
from striate.errors import ArgumentError
from striate.ops.word import per_axis

OnePerAxis = int | tuple[int, int]


class MinPool2d(nn.Module):
    """The smallest value in each window: (N, C, H, W) or (C, H, W) to the same with smaller H and W.

    Every argument means what it means in torch.nn.MaxPool2d; padding counts as plus infinity, so it never
    wins. With ``return_indices`` the result is (values, indices), the indices counted within each plane.
    Computed as min(x) = -max(-x), and captured from exactly that: neg, max_pool2d, neg; with indices, neg,
    max_pool2d_with_indices, and neg of the first result.

    Raises ArgumentError for arguments no window can have, and for integer images, whose most negative (or,
    unsigned, every) value has no negative.
    """

    def __init__(
        self,
        kernel_size: OnePerAxis,
        stride: OnePerAxis | None = None,
        padding: OnePerAxis = 0,
        dilation: OnePerAxis = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = per_axis("kernel_size", kernel_size, 2)
        self.stride = self.kernel_size if stride is None else per_axis("stride", stride, 2)
        self.padding = per_axis("padding", padding, 2, 0)
        self.dilation = per_axis("dilation", dilation, 2)
        self.return_indices, self.ceil_mode = return_indices, ceil_mode
        ops.MinPool2d(  # the word knows the rules that arguments have among themselves
            self.kernel_size, self.stride, self.padding, self.dilation, return_indices, ceil_mode
        )

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        if not x.is_floating_point():
            raise ArgumentError(
                f"input must be floating-point, got {x.dtype}: convert it first, as in x.float()."
            )
        window = (self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)
        if self.return_indices:
            values, indices = F.max_pool2d_with_indices(-x, *window)
            return -values, indices
        return -F.max_pool2d(-x, *window)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, return_indices={self.return_indices}, ceil_mode={self.ceil_mode}"
        )
