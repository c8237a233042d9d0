"""Layer normalisation of images: over the channels of each pixel."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class LayerNorm2d(nn.LayerNorm):
    """(N, channels, H, W) to the same: each pixel's channels get mean 0 and variance 1 (Ba et al. 2016).

    arXiv 1607.06450, as ConvNeXt (arXiv 2201.03545) applies it. Captured as LayerNorm over axis 1.
    """

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__(channels, eps)

    def forward(self, x: Tensor) -> Tensor:
        last = x.permute(0, 2, 3, 1)
        normed = F.layer_norm(last, self.normalized_shape, self.weight, self.bias, self.eps)
        return normed.permute(0, 3, 1, 2)
