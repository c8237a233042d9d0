"""What goes wrong in silence: units that no longer answer, weights that are no longer numbers, waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

MANY_DEAD = 0.5  # share of a layer's channels at which a person should look
LONG_WAIT = 0.3  # share of an epoch's time spent waiting for data, likewise

ADVICE_FOR_WAITING = (
    f"Training waits for data more than {LONG_WAIT:.0%} of the time: use less augmentation or smaller images."
)

_RELUS = frozenset((F.relu, F.relu_, F.relu6, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_))


@dataclass(frozen=True)
class ReluLayer:
    """One ReLU of the network, as it answered to one batch."""

    place: str
    """The module in which it was called, with its number there when it is called more than once."""
    channels: int
    dead: int
    """Channels that were zero for every image, everywhere in the map."""

    @property
    def share(self) -> float:
        return self.dead / self.channels


def watch_relus(module: nn.Module, run: Callable[[], object]) -> list[ReluLayer]:
    """Call ``run``, which passes a batch through ``module``, and count the dead channels of every ReLU.

    The tensors are watched and not the modules, so that ``F.relu(x)``, ``x.relu_()`` and one ``nn.ReLU``
    used five times are all seen.
    """
    with _places(module) as path:
        mode = _ReluMode(path)
        with mode:
            run()
    return mode.seen


def advice(layer: ReluLayer) -> str:
    """One sentence for a layer with many dead channels."""
    return (
        f"{layer.dead} of {layer.channels} channels after {layer.place} answer zero to every image of a "
        "validation batch and no longer learn: lower lr, lengthen warmup, or put a normalisation before "
        "the ReLU."
    )


def dead_share(layers: Sequence[ReluLayer]) -> float | None:
    """Share of dead channels over all layers; None for a network without a ReLU."""
    channels = sum(layer.channels for layer in layers)
    return sum(layer.dead for layer in layers) / channels if channels else None


def all_finite(module: nn.Module) -> bool:
    """True when no weight and no running statistic is infinite or not a number."""
    tensors = [t.detach() for t in module.state_dict().values() if t.is_floating_point() and t.numel()]
    return bool(torch.stack(torch._foreach_norm(tensors)).isfinite().all()) if tensors else True


class _ReluMode(TorchFunctionMode):
    def __init__(self, path: list[str]) -> None:
        super().__init__()
        self.seen: list[ReluLayer] = []
        self._path = path

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        answer = function(*args, **(kwargs or {}))
        if function in _RELUS and isinstance(answer, Tensor) and answer.dim() >= 2:
            self._count(answer)
        return answer

    def _count(self, answer: Tensor) -> None:
        alive = (answer > 0).transpose(0, 1).flatten(1).any(dim=1)
        place = self._path[-1] or "the network's own forward"
        earlier = sum(layer.place.split(", call ")[0] == place for layer in self.seen)
        name = f"{place}, call {earlier + 1}" if earlier else place
        self.seen.append(ReluLayer(name, len(alive), int((~alive).sum())))


@contextmanager
def _places(module: nn.Module) -> Iterator[list[str]]:
    """A list whose last entry is the path of the module that is running."""
    path = [""]
    hooks = []
    for name, part in module.named_modules():
        hooks.append(part.register_forward_pre_hook(lambda part, args, name=name: path.append(name)))
        hooks.append(part.register_forward_hook(lambda part, args, answer: path.pop() and None))
    try:
        yield path
    finally:
        for hook in hooks:
            hook.remove()
