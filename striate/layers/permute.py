"""A reordering of axes as a layer, so that it can stand in a sequence."""

from __future__ import annotations

from torch import Tensor, nn


class Permute(nn.Module):
    """Axis i of the result is axis ``dims[i]`` of the input: ``Permute(0, 2, 3, 1)`` puts channels last."""

    def __init__(self, *dims: int) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.dims)

    def extra_repr(self) -> str:
        return ", ".join(map(str, self.dims))
