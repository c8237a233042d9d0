"""Leaving out whole branches by chance while training (Huang et al. 2016, arXiv 1603.09382)."""

from __future__ import annotations

from torch import Tensor, nn


class StochasticDepth(nn.Module):
    """In training, an image's map becomes zero with probability ``p``, else it is divided by 1 - p.

    Any shape (N, ...), one draw for each of the N images; the identity in evaluation.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        kept = x.new_empty(len(x), *(1,) * (x.ndim - 1)).bernoulli_(1 - self.p)
        return x * (kept / (1 - self.p))

    def extra_repr(self) -> str:
        return f"p={self.p}"
