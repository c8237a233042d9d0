"""Radial basis functions: how far is the input from the picture of each class?"""

from __future__ import annotations

from torch import Tensor, nn

from striate.errors import ArgumentError


class RBF(nn.Module):
    """y[k] = sum_i (x[i] - centres[k, i])^2: (N, features) to (N, classes). The smallest distance wins.

    The output layer of LeNet-5 (LeCun et al. 1998, section II.B). ``centres`` (classes, features) are a
    buffer: saved with the network, not trained. Captured as the word RBF from unsqueeze(1), sub, pow 2, sum
    over the last axis. Raises ArgumentError for centres that are not a table.
    """

    centres: Tensor

    def __init__(self, centres: Tensor) -> None:
        super().__init__()
        if centres.ndim != 2 or 0 in centres.shape:
            raise ArgumentError(
                f"centres must have the shape (classes, features), got {tuple(centres.shape)}: "
                "give one row for each class."
            )
        self.register_buffer("centres", centres)

    def forward(self, x: Tensor) -> Tensor:
        return ((x.unsqueeze(1) - self.centres) ** 2).sum(-1)

    def extra_repr(self) -> str:
        classes, features = self.centres.shape
        return f"in_features={features}, out_features={classes}"
