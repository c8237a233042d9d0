"""A running average of the weights: calmer than the last step's, and often a little better."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Exponential average of all floating-point state of ``module``, running statistics included.

    After step t the share kept is min(decay, t / (t + 9)), so that a short run is not held back by its
    random beginning.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._decay = decay
        self._state = _state(module)
        self._values = {name: tensor.detach().clone() for name, tensor in self._state.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step ``step`` (from 1)."""
        keep = min(self._decay, step / (step + 9))
        torch._foreach_lerp_(list(self._values.values()), list(self._state.values()), 1 - keep)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the module holds the average; afterwards its own weights again."""
        own = {name: tensor.detach().clone() for name, tensor in self._state.items()}
        self.hand_over()
        try:
            yield
        finally:
            _copy(self._state, own)

    def hand_over(self) -> None:
        """Give the average to the module for good."""
        _copy(self._state, self._values)

    def state(self) -> dict[str, Tensor]:
        return dict(self._values)

    def restore(self, state: dict[str, Tensor]) -> None:
        _copy(self._values, state)


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {name: t.detach() for name, t in module.state_dict().items() if t.is_floating_point()}


@torch.no_grad()
def _copy(target: dict[str, Tensor], source: dict[str, Tensor]) -> None:
    for name, tensor in target.items():
        tensor.copy_(source[name])
