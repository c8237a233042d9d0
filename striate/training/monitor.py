"""What goes wrong in silence: units that no longer answer, weights that are no longer numbers, waiting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

MANY_DEAD = 0.5  # share of a layer's channels at which a person should look
LONG_SILENCE = 3  # epochs
LONG_WAIT = 0.3  # share of an epoch's time spent waiting for data, likewise

ADVICE_FOR_WAITING = (
    f"Training waits for data more than {LONG_WAIT:.0%} of the time: vary images less (--augment none) or "
    "take smaller ones (--image-size)."
)

_RELUS = frozenset((F.relu, F.relu_, F.relu6, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_))
_BOUNDED: dict[Any, tuple[float, float]] = {  # functions with two ends, and these ends
    **dict.fromkeys((torch.sigmoid, torch.sigmoid_, Tensor.sigmoid, Tensor.sigmoid_, F.sigmoid), (0.0, 1.0)),
    **dict.fromkeys((torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_, F.tanh), (-1.0, 1.0)),
    **dict.fromkeys((F.hardsigmoid,), (0.0, 1.0)),
}
_NEAR = 0.01  # of the distance between the ends: there the slope is gone
MANY_SATURATED = 0.9  # share of values at an end at which a person should look; gates live at their ends


@dataclass(frozen=True)
class Units:
    """One activation of the network, as it answered to some images."""

    place: str
    """The module in which it was called, with its number there when it is called more than once."""
    channels: int
    dead: int | None
    """Of a ReLU: channels that were zero for every image, everywhere in the map."""
    saturated: float | None = None
    """Of a sigmoid or tanh: share of values at one of its ends."""

    @property
    def share(self) -> float:
        """Share of dead channels; 0 for what has none."""
        return (self.dead or 0) / self.channels


# images of a validation: to look at their answers costs memory traffic, a pass of their own far more
LOOKED_AT = 64


@contextmanager
def watching(module: nn.Module, seen: list[Units]) -> Iterator[None]:
    """Inside, ``seen`` gets every activation's answers to the first 64 images of a pass through ``module``.

    The tensors are watched and not the modules, so that ``F.relu(x)``, ``x.relu_()`` and one ``nn.ReLU``
    used five times are all seen.
    """
    with _places(module) as path:
        mode = _Watching(path, seen)
        with mode:
            yield


class Silence:
    """How long each ReLU has been mostly silent, and what to say about it; epochs of this process."""

    def __init__(self) -> None:
        self._epochs: dict[str, int] = {}
        self._saturated: set[str] = set()

    def advice(self, units: Sequence[Units]) -> list[str]:
        """Sentences about activations in which a person should look, after one more epoch."""
        found = []
        for layer in units:
            before = self._epochs.get(layer.place, 0)
            self._epochs[layer.place] = before + 1 if layer.share >= MANY_DEAD else 0
            if self._epochs[layer.place] == LONG_SILENCE:
                found.append(
                    f"{layer.place}: {layer.share:.0%} of {layer.channels} ReLU channels have been silent "
                    f"for {LONG_SILENCE} epochs and no longer learn: lower --lr, raise --warmup, or take "
                    "--activation leaky_relu."
                )
            if (layer.saturated or 0) >= MANY_SATURATED and layer.place not in self._saturated:
                self._saturated.add(layer.place)
                found.append(
                    f"{layer.place}: {layer.saturated:.0%} of its values stand at an end of the activation, "
                    "where it has no slope: lower --lr, raise --warmup, or take --activation relu."
                )
        return found


def dead_share(layers: Sequence[Units]) -> float | None:
    """Share of dead channels over all ReLUs; None for a network without one."""
    relus = [layer for layer in layers if layer.dead is not None]
    channels = sum(layer.channels for layer in relus)
    return sum(layer.dead or 0 for layer in relus) / channels if channels else None


def all_finite(module: nn.Module) -> bool:
    """True when no weight and no running statistic is infinite or not a number."""
    tensors = [t.detach() for t in module.state_dict().values() if t.is_floating_point() and t.numel()]
    return bool(torch.stack(torch._foreach_norm(tensors)).isfinite().all()) if tensors else True


class _Watching(TorchFunctionMode):
    def __init__(self, path: list[str], seen: list[Units]) -> None:
        super().__init__()
        self.seen = seen
        self._path = path

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        answer = function(*args, **(kwargs or {}))
        if isinstance(answer, Tensor) and answer.dim() >= 2:
            self._look(function, answer)
        return answer

    def _look(self, function: Any, answer: Tensor) -> None:
        some = answer[:LOOKED_AT]
        if function in _RELUS:
            largest = some.amax(dim=[0, *range(2, some.dim())])
            self._note(answer, dead=int((largest <= 0).sum()))
        elif function in _BOUNDED:
            low, high = _BOUNDED[function]
            margin = _NEAR * (high - low)
            ends = (some < low + margin) | (some > high - margin)
            self._note(answer, saturated=round(float(ends.float().mean()), 4))

    def _note(self, answer: Tensor, dead: int | None = None, saturated: float | None = None) -> None:
        place = self._path[-1] or "the network's own forward"
        earlier = sum(units.place.split(", call ")[0] == place for units in self.seen)
        name = f"{place}, call {earlier + 1}" if earlier else place
        self.seen.append(Units(name, answer.shape[1], dead, saturated))


@contextmanager
def _places(module: nn.Module) -> Iterator[list[str]]:
    """A list whose last entry is the path of the module that is running."""
    path = [""]
    hooks = []

    def leave(part: nn.Module, args: Any, answer: Any) -> None:  # what a hook returns would be the answer
        path.pop()

    for name, part in module.named_modules():
        hooks.append(part.register_forward_pre_hook(lambda part, args, name=name: path.append(name)))
        hooks.append(part.register_forward_hook(leave))
    try:
        yield path
    finally:
        for hook in hooks:
            hook.remove()
