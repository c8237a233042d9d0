"""Fine-tuning: which layers learn when, and how fast each. Depth is the order in which layers act.

The head learns first, because its random weights would send noise into layers that know something already
(arXiv:1801.06146, 2202.10054). What is frozen is frozen whole: a batch norm that normalised by the statistics
of a few new images would undo the weights behind it (keras #9965, #7177).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from striate.errors import ArgumentError, nearest
from striate.training.device import Placement
from striate.training.evaluate import evaluating
from striate.training.settings import TrainSettings

BODY = "body"


@dataclass(frozen=True)
class FineTuning:
    """What of a network learns in each epoch. Names are those of parameters."""

    trainable: frozenset[str]
    """All that the network lets learn."""
    frozen: frozenset[str]
    """Of these, what never learns."""
    head: frozenset[str]
    """Of the last layer; all that learns during the first ``head_epochs``."""
    lr_shares: Mapping[str, float]
    """Learning rate of each as a share of the head's."""
    head_epochs: int
    freeze_batch_norm: bool

    def begin_epoch(self, module: nn.Module, epoch: int) -> None:
        """Training mode for ``epoch`` (from 0), with what does not learn in it in evaluation mode."""
        module.train()
        asleep = self.frozen if epoch >= self.head_epochs else self.trainable - self.head
        self._let_learn(module, self.trainable - asleep)
        still = {id(parameter) for name, parameter in module.named_parameters() if name in asleep}
        for part in module.modules():
            own = {id(parameter) for parameter in part.parameters()}
            if own and own <= still:
                part.eval()
        for norm in batch_norms(module) if self.freeze_batch_norm else ():
            norm.eval()

    def between_epochs(self, module: nn.Module) -> None:
        """Mark what the network lets learn but for what is frozen throughout."""
        self._let_learn(module, self.trainable - self.frozen)

    def end(self, module: nn.Module) -> None:
        """Mark what the network lets learn, as before the training."""
        self._let_learn(module, self.trainable)

    def _let_learn(self, module: nn.Module, learning: frozenset[str]) -> None:
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(name in learning)


def plan(module: nn.Module, images: Tensor | None, settings: TrainSettings) -> FineTuning:
    """What ``settings`` ask for; ``images`` (N, C, H, W), for the order of layers, are not always needed.

    Raises ArgumentError where ``freeze`` names no layer, or leaves nothing to learn.
    """
    trainable = frozenset(name for name, p in module.named_parameters() if p.requires_grad)
    layers = order_of_layers(module, images) if images is not None else []
    head = frozenset(_parameters(module, layers[-1:])) & trainable
    frozen = (
        _frozen(module, settings.freeze, head) & trainable if settings.freeze is not None else frozenset()
    )
    if frozen == trainable or (settings.head_epochs and head <= frozen):
        raise ArgumentError(
            f"freeze must leave something to learn, got {settings.freeze!r}, which is the whole "
            f"{'network' if frozen == trainable else 'head'}: name fewer layers."
        )
    return FineTuning(
        trainable,
        frozen,
        head,
        _shares(module, layers, settings.first_layer_lr),
        settings.head_epochs,
        settings.freeze_batch_norm,
    )


def planned(
    module: nn.Module, images_of: Callable[[], Tensor], settings: TrainSettings, placement: Placement
) -> FineTuning:
    """``plan``, which sees two images (N, C, H, W) of ``images_of`` only where it needs them."""
    if not needs_order(settings):
        return plan(module, None, settings)
    return plan(module, placement.lay_out(images_of()[:2]).float(), settings)


def batch_norms(module: nn.Module) -> list[_BatchNorm]:
    """Every batch norm inside, for sequences, images and volumes."""
    return [part for part in module.modules() if isinstance(part, _BatchNorm)]


def needs_order(settings: TrainSettings) -> bool:
    """Whether ``plan`` must see images."""
    return settings.freeze is not None or settings.head_epochs > 0 or settings.first_layer_lr != 1


def order_of_layers(module: nn.Module, images: Tensor) -> list[str]:
    """Names of the modules with parameters of their own, in the order in which they first act on ``images``.

    The names of a file or a class may lie about depth; what runs does not. Layers that an evaluation does not
    run (auxiliary heads) are not there.
    """
    reached: dict[str, None] = {}

    def note(name: str) -> Any:
        return lambda layer, given: reached.setdefault(name)

    hooks = [
        layer.register_forward_pre_hook(note(name))
        for name, layer in module.named_modules()
        if next(layer.parameters(recurse=False), None) is not None
    ]
    try:
        with evaluating(module):
            module(images)
    finally:
        for hook in hooks:
            hook.remove()
    return list(reached)


def _parameters(module: nn.Module, layers: list[str]) -> list[str]:
    return [
        f"{layer}.{name}" if layer else name
        for layer in layers
        for name, _ in module.get_submodule(layer).named_parameters(recurse=False)
    ]


def _frozen(module: nn.Module, freeze: str, head: frozenset[str]) -> frozenset[str]:
    every = [name for name, _ in module.named_parameters()]
    if freeze == BODY:
        return frozenset(every) - head
    found: set[str] = set()
    layers = [
        name for name, layer in module.named_modules() if name and any(True for _ in layer.parameters())
    ]
    for layer in (word.strip() for word in freeze.split(",")):
        inside = {name for name in every if name.startswith(f"{layer}.")}
        if not inside:
            hint = nearest(layer, layers) or f"its first ones are {', '.join(layers[:5])}."
            raise ArgumentError(
                f'freeze must be "{BODY}" or name layers of the network with weights, got {layer!r}: {hint}'
            )
        found |= inside
    return frozenset(found)


def _shares(module: nn.Module, layers: list[str], first: float) -> dict[str, float]:
    """``first`` for the first layer, 1 for the last, a constant ratio from each to the next."""
    last = max(1, len(layers) - 1)
    return {
        name: first ** (1 - depth / last)
        for depth, layer in enumerate(layers)
        for name in _parameters(module, [layer])
    }
