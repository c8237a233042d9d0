"""Trainable subsampling: what pooling was before the maximum."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from striate.ops.word import integer


class Subsampling(nn.Module):
    """(N, C, H, W) to (N, C, H/2, W/2): the mean of each 2x2 window, times weight[c], plus bias[c].

    Layers S2 and S4 of LeNet-5 (LeCun et al. 1998, section II.B), which add the four values where we take
    their mean: the same functions, with weights four times as large. Starts as a plain average.
    Captured as AvgPool2d and Scale: avg_pool2d, mul by a parameter of shape (C, 1, 1), add of another.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        channels = integer("channels", channels)
        self.pool = nn.AvgPool2d(2)
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.pool(x)
        return pooled * self.weight + self.bias
