"""The squashing function of LeNet-5."""

from __future__ import annotations

import torch
from torch import Tensor, nn

AMPLITUDE = 1.7159
SLOPE = 2 / 3


class ScaledTanh(nn.Module):
    """f(x) = 1.7159 tanh(2x / 3), any shape. LeCun et al. 1998, appendix A.

    f(1) = 1 and f(-1) = -1, where its second derivative is largest in size, so targets of +-1 lie where
    the function still bends and its gradient has not died. Captured as mul, tanh, mul with numbers.
    """

    def forward(self, x: Tensor) -> Tensor:
        return AMPLITUDE * torch.tanh(SLOPE * x)
