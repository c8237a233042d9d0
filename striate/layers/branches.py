"""Branches side by side over the same input: the idea of Inception."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Branches(nn.Module):
    """(N, C, H, W) to the outputs of all parts, in the order they were given, one after another as channels.

    Each part keeps the name it is given by, so that a state dict reads like the paper:
    ``Branches(branch1=..., branch2=...)``. Captured as the branches and Concat.
    """

    def __init__(self, **branches: nn.Module) -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.children()], dim=1)
