"""Networks rewritten: the fully connected head replaced by the mean of each map and one linear layer."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from striate.errors import ArgumentError, UnsupportedError
from striate.layers.auxiliary import logits_of

TRIED = (32, 28, 224, 227, 299, 64)  # sides of images, where none is given


class AverageMaps(nn.Module):
    """Flattened maps (N, channels * positions) to their means (N, channels). arXiv 1312.4400, section 3.2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(-1, self.channels, x.shape[1] // self.channels).mean(2)


@dataclass(frozen=True)
class Rewritten:
    """The new network, and what changed. Counts are of learned values."""

    module: nn.Module
    replaced: tuple[str, ...]
    before: int
    after: int

    @property
    def saved(self) -> int:
        """Parameters that the new network does not need."""
        return self.before - self.after

    def text(self) -> str:
        """What was saved, in a sentence."""
        layers = ", ".join(self.replaced)
        return (
            f"{layers} became the mean of each map and one linear layer: {self.after:,} parameters "
            f"instead of {self.before:,}, {self.saved / self.before:.1%} less."
        )


@dataclass(frozen=True)
class _Run:
    """One run of a module without children: where it stands, the shapes that went in and came out."""

    name: str
    layer: nn.Module
    given: tuple[int, ...]
    gives: tuple[int, ...]


def global_average_head(model: nn.Module, image_size: tuple[int, int] | None = None) -> Rewritten:
    """A copy of ``model`` with global average pooling and one linear layer in place of its dense layers.

    The other weights are kept, the new layer is fresh: train it. It is found out by running the network, on
    no memory, which linear layers read the last maps; so functional calls do no harm. ``image_size`` (H, W):
    what the network is built for; None tries usual ones. The model itself is left as it is.

    Raises UnsupportedError where no dense head follows the maps, and where the head already is a mean and
    one linear layer.
    """
    runs = _runs(model, image_size)
    last = max((i for i, run in enumerate(runs) if len(run.gives) == 4), default=-1)
    head = runs[last + 1 :]
    dense = [run for run in head if isinstance(run.layer, nn.Linear)]
    channels = runs[last].gives[1] if last >= 0 else 0
    if not dense or not channels or dense[0].given[1] % channels:
        raise UnsupportedError(
            f"{type(model).__name__} must end in linear layers that read its last maps, "
            "got none: there is no head to replace."
        )
    if len(dense) == 1 and dense[0].given[1] == channels:
        raise UnsupportedError(
            f"{type(model).__name__} already ends in the mean of each map and one linear layer, "
            f"{dense[0].name}: nothing is left to save."
        )
    network = copy.deepcopy(model)
    _replace(network, head, dense, channels)
    for run in runs[: last + 1]:  # pooled to 7x7 for the dense layers: the mean of the whole map will do
        if run is runs[last] and isinstance(run.layer, nn.AdaptiveAvgPool2d):
            network.set_submodule(run.name, nn.AdaptiveAvgPool2d(1))
    return Rewritten(network, tuple(run.name for run in dense), _learned(model), _learned(network))


def _replace(network: nn.Module, head: list[_Run], dense: list[_Run], channels: int) -> None:
    """The first dense layer becomes the mean, the last one the classifier; what is between does nothing.

    An activation or dropout that is called as a function stays: it does no harm to means.
    """
    final = dense[-1].layer
    like: dict[str, Any] = {"device": final.weight.device, "dtype": final.weight.dtype}
    classifier = nn.Linear(channels, dense[-1].gives[1], bias=final.bias is not None, **like)
    first, last = dense[0].name, dense[-1].name
    for run in head[head.index(dense[0]) : head.index(dense[-1])]:
        if not isinstance(run.layer, nn.Dropout):
            network.set_submodule(run.name, nn.Identity())
    average = AverageMaps(channels)
    if first == last:
        network.set_submodule(last, nn.Sequential(average, classifier))
    else:
        network.set_submodule(first, average)
        network.set_submodule(last, classifier)


def _runs(model: nn.Module, image_size: tuple[int, int] | None) -> list[_Run]:
    """Every run of a module without children, in order, at the first image size that fits."""
    convolution = next((layer for layer in model.modules() if isinstance(layer, nn.Conv2d)), None)
    if convolution is None:
        raise UnsupportedError(
            f"{type(model).__name__} must have a convolution, got none: there are no maps to take means of."
        )
    sizes = [image_size] if image_size is not None else [(side, side) for side in TRIED]
    failure: Exception | None = None
    for size in sizes:
        try:
            return _watched(model, (2, convolution.in_channels, *size))
        except (RuntimeError, ValueError) as error:
            failure = error
    tried = ", ".join(f"{height}x{width}" for height, width in sizes)
    raise ArgumentError(
        f"image_size must be what {type(model).__name__} is built for, tried {tried} "
        f"({str(failure).strip().splitlines()[0]}): give (height, width)."
    )


def _watched(model: nn.Module, shape: tuple[int, ...]) -> list[_Run]:
    runs: list[_Run] = []

    def note(name: str, layer: nn.Module) -> Any:
        def after(_: nn.Module, given: tuple[Any, ...], gives: Any) -> None:
            if given and isinstance(given[0], Tensor) and isinstance(gives, Tensor):
                runs.append(_Run(name, layer, tuple(given[0].shape), tuple(gives.shape)))

        return layer.register_forward_hook(after)

    leaves = [(name, layer) for name, layer in model.named_modules() if next(layer.children(), None) is None]
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    meta = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
    modes = [(part, part.training) for part in model.modules()]
    hooks = [note(name, layer) for name, layer in leaves]
    model.eval()
    try:
        with torch.no_grad():
            logits_of(functional_call(model, meta, (torch.empty(shape, device="meta"),)))
    finally:
        for hook in hooks:
            hook.remove()
        for part, training in modes:
            part.training = training
    return runs


def _learned(module: nn.Module) -> int:
    return sum(tensor.numel() for tensor in module.parameters() if tensor.requires_grad)
