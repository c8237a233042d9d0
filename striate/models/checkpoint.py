"""Activations that are computed again instead of kept: less memory for a third more time.

Chen, Xu, Zhang, Guestrin, "Training deep nets with sublinear memory cost", 2016, arXiv 1604.06174. In
training, a network keeps every activation until its gradient has passed. ``recompute`` makes each block of
any network keep only its input; on the way back the block runs forward once more. Dropout draws what it drew
before, and the second run works on copies of the buffers, so that batch norm's running statistics move once a
step.

Nothing is wrapped: names, state dict and module tree stay, only the classes of the blocks change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from math import ceil, isqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

_KINDS: dict[tuple[type[nn.Module], type[nn.Module]], type[nn.Module]] = {}


def recompute(network: nn.Module) -> nn.Module:
    """Change ``network`` so that training computes its blocks' activations twice; it is also returned.

    A block is the outermost module inside the network, or inside sequences of it, that is no plain
    sequence itself; a plain sequence of single layers (VGG's) is cut into about the root of its length.
    What stands between blocks is kept as ever. In evaluation mode nothing changes.
    """
    _prepare(network, outermost=True)
    return network


def _prepare(module: nn.Module, *, outermost: bool = False) -> None:
    if isinstance(module, (RecomputedBlock, RecomputedChain)):
        return
    children = list(module.children())
    chain = type(module).forward is nn.Sequential.forward
    if chain and not any(_composite(child) for child in children):
        _change(module, RecomputedChain)
    elif chain or outermost or isinstance(module, nn.ModuleList):
        for child in filter(_composite, children):
            _prepare(child)
    else:
        _change(module, RecomputedBlock)


def _composite(module: nn.Module) -> bool:
    return next(module.children(), None) is not None


def _change(module: nn.Module, how: type[nn.Module]) -> None:
    """Give ``module`` the forward of ``how``, by its class: a copy of the module then calls itself."""
    kind = type(module)
    if (kind, how) not in _KINDS:
        _KINDS[kind, how] = type(kind.__name__, (how, kind), {"__module__": kind.__module__})
    module.__class__ = _KINDS[kind, how]


class RecomputedBlock(nn.Module):
    """Mixed into the class of a block: all of its forward is run twice."""

    def forward(self, *inputs: Tensor) -> Any:
        return _twice(super().forward, [self], *inputs)


class RecomputedChain(nn.Sequential):
    """Mixed into the class of a sequence of n layers: about sqrt(n) parts, each run twice."""

    def forward(self, x: Tensor) -> Tensor:
        layers = list(self)
        length = max(1, ceil(len(layers) / max(1, isqrt(len(layers)))))
        for first in range(0, len(layers), length):
            part = layers[first : first + length]
            x = _twice(partial(_in_turn, part), part, x)
        return x


def _in_turn(layers: Sequence[nn.Module], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x


def _twice(run: Callable[..., Any], modules: Sequence[nn.Module], *inputs: Tensor) -> Any:
    if not (torch.is_grad_enabled() and any(module.training for module in modules)):
        return run(*inputs)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _CopiedBuffers(modules)

    return checkpoint(run, *inputs, use_reentrant=False, context_fn=contexts)


class _CopiedBuffers(AbstractContextManager[None]):
    """Inside, the modules see copies of their buffers; afterwards the buffers that were there, untouched.

    The tensors are exchanged and not written back: writing would count as a change of what another
    backward pass may still need.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._owners = [part for module in modules for part in module.modules() if part._buffers]
        self._originals: list[dict[str, Tensor | None]] = []

    def __enter__(self) -> None:
        self._originals = [dict(owner._buffers) for owner in self._owners]
        for owner in self._owners:
            for name, buffer in owner._buffers.items():
                owner._buffers[name] = None if buffer is None else buffer.clone()

    def __exit__(self, *_: object) -> None:
        for owner, originals in zip(self._owners, self._originals, strict=True):
            owner._buffers.update(originals)
