"""Channels that compete: each is scaled by how strong it is among all."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GlobalResponseNorm(nn.Module):
    """x + weight * x * n + bias, n each channel's length over the image, divided by the mean of all.

    Woo et al. 2023 (ConvNeXt V2, arXiv 2301.00808), equations 1 to 3. ``dim`` is the axis of the channels, 1
    for (N, C, H, W) or -1 for (N, H, W, C). Starts as the identity: both parameters are 0. Captured as one
    word of the same name.
    """

    def __init__(self, channels: int, eps: float = 1e-6, *, dim: int = 1) -> None:
        super().__init__()
        self.eps, self.dim = eps, dim
        self.weight = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        space, shape = ((2, 3), (-1, 1, 1)) if self.dim == 1 else ((1, 2), (-1,))
        length: Tensor = torch.linalg.vector_norm(x, dim=space, keepdim=True)
        share = length / (length.mean(dim=self.dim, keepdim=True) + self.eps)
        return x + (self.weight.view(shape) * (x * share) + self.bias.view(shape))

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, eps={self.eps}, dim={self.dim}"
