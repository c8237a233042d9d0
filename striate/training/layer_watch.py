"""How strongly each layer is pulled, and how far it moves: looked at in one step an epoch.

A weight that changes by about a thousandth of itself a step learns at a usual pace; a third tears apart what
it knows, a millionth stands still. One copy of the weights and three norms in one step of many cost far less
than a hundredth of the time, and a GPU is waited for once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

TEARING = 0.3  # of a weight, changed in one step, at the end of an epoch


@dataclass(frozen=True)
class LayerMove:
    """One layer with a weight of two axes or more, in one step. None: not a number that can be told."""

    name: str
    gradient: float | None
    """Euclidean norm of its weight's gradient, after clipping; 0 where it is frozen."""
    update: float | None
    """Norm of the weight's change as a share of the weight's own norm."""


class LayerWatch:
    """Call ``before`` a step and ``after`` it."""

    def __init__(self, module: nn.Module) -> None:
        self._weights = {
            name.removesuffix(".weight"): parameter
            for name, parameter in module.named_parameters()
            if parameter.dim() >= 2
        }
        self._old: list[Tensor] = []

    @torch.no_grad()
    def before(self) -> None:
        self._old = [weight.detach().clone() for weight in self._weights.values()]

    @torch.no_grad()
    def after(self) -> tuple[LayerMove, ...]:
        """What the step did, layer by layer in the order of definition."""
        now = [weight.detach() for weight in self._weights.values()]
        if not now:
            return ()
        pulls = [w.grad if w.grad is not None else torch.zeros_like(w) for w in self._weights.values()]
        moves = torch._foreach_norm(torch._foreach_sub(now, self._old))
        norms = [torch._foreach_norm(pulls), moves, torch._foreach_norm(self._old)]
        table = torch.stack([torch.stack(list(column)).float() for column in norms]).tolist()
        self._old = []
        return tuple(
            LayerMove(name, _told(pull), _told(move / old) if old > 0 else None)
            for name, pull, move, old in zip(self._weights, *table, strict=True)
        )


def advice(layers: Sequence[LayerMove]) -> str | None:
    """One sentence about the layer that moves most, where that is too much; None where none does."""
    moving = [layer for layer in layers if layer.update is not None]
    fastest = max(moving, key=lambda layer: layer.update or 0.0, default=None)
    if fastest is None or (fastest.update or 0.0) < TEARING:
        return None
    return (
        f"{fastest.name}: one step at the end of an epoch changes its weights by {fastest.update:.0%} of "
        "themselves, and what they know with it: lower --lr."
    )


def _told(value: float) -> float | None:
    """Four digits are enough, and JSON has no word for what is no number."""
    return float(f"{value:.4g}") if math.isfinite(value) else None
