"""Loading weights into a network: every tensor has a certain place, or nothing is loaded."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor, nn

from striate.errors import ArgumentError, WeightsWarning
from striate.models.weights_alignment import Shape
from striate.models.weights_file import TensorFile, read_tensors
from striate.models.weights_fit import Catalogued, Fit, by_name, renamed
from striate.models.weights_wording import doubt, refusal, remarks

COUNTER = "num_batches_tracked"  # batch norm counts its steps; not every file has it, and nothing needs it


def load_weights(module: nn.Module, path: str | PathLike[str]) -> None:
    """Copy the tensors of a .safetensors, .pth or .pt file into ``module``.

    Loading never runs code: pickles are read with torch's ``weights_only``. Raises ArgumentError, and leaves
    the module as it was, unless every tensor has one certain place. Warns (WeightsWarning) when another
    thing than names told it.
    """
    file = read_tensors(Path(path))
    copy_tensors(module, file, fit_tensors(module, file))


def fit_tensors(module: nn.Module, file: TensorFile, known: Catalogued | None = None) -> Fit:
    """Find each tensor's place. Raises ArgumentError with a table of the mismatches."""
    ours = shapes_of(module)
    file = file.unwrapped(ours)
    theirs = {name: tuple(t.shape) for name, t in file.tensors.items() if not name.endswith(COUNTER)}
    fit = by_name(ours, theirs, known)
    if fit is not None:
        return replace(fit, twin=known.owner(theirs)) if known else fit
    if known is not None and (owner := known.owner(theirs)) is not None:
        raise refusal(ours, theirs, file.path, f"They are the tensors of {owner}: create that network.")
    if ours.keys() == theirs.keys():
        raise refusal(ours, theirs, file.path)
    found = renamed(ours, theirs, known, ordered=file.ordered)
    if isinstance(found, Fit):
        return found
    raise doubt(file.path, found) if found else refusal(ours, theirs, file.path)


def copy_tensors(module: nn.Module, file: TensorFile, fit: Fit, *, told: bool = False) -> None:
    """Load what fits, and say what should be known about it (WeightsWarning).

    ``told``: something else than the file's names says which network the weights were learned in.
    """
    state = module.state_dict()
    tensors = file.unwrapped(state).tensors
    loaded = {}
    for ours, theirs in _with_counters(fit.names, tensors):
        if tensors[theirs].is_floating_point() != state[ours].is_floating_point():
            raise ArgumentError(
                f"weights must be {state[ours].dtype} for {ours}, got {tensors[theirs].dtype} in "
                f"{file.path}, and nothing was loaded: give the file from before it was quantised."
            )
        loaded[ours] = tensors[theirs].reshape(state[ours].shape).to(state[ours].dtype)
    _require_finite(loaded, fit, file.path)
    # A new head says nothing at first: random scores would send noise into layers that know something.
    blank = {name: torch.zeros_like(state[name]) for name in fit.fresh}
    module.load_state_dict(state | loaded | blank)
    if fit.origin is not None and fit.origin.epsilon is not None:
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eps = fit.origin.epsilon
    for sentence in remarks(file.path, fit, told=told):
        warnings.warn(sentence, WeightsWarning, stacklevel=4)


def _require_finite(loaded: Mapping[str, Tensor], fit: Fit, path: Path) -> None:
    """A network with NaN in it answers NaN, or, behind a maximum, a class: neither is an answer."""
    broken = [fit.names.get(ours, ours) for ours, tensor in loaded.items() if not tensor.isfinite().all()]
    if broken:
        more = f" and {len(broken) - 1} more tensors" if len(broken) > 1 else ""
        raise ArgumentError(
            f"weights must be finite numbers, got NaN or infinity in {broken[0]}{more} of {path}, and "
            "nothing was loaded: give the weights from before the training diverged."
        )


def shapes_of(module: nn.Module) -> dict[str, Shape]:
    """Names and shapes of a network's tensors, but for the counters of steps."""
    return {
        name: tuple(tensor.shape)
        for name, tensor in module.state_dict().items()
        if not name.endswith(COUNTER)
    }


def _with_counters(names: Mapping[str, str], tensors: Collection[str]) -> Iterator[tuple[str, str]]:
    for ours, theirs in names.items():
        yield ours, theirs
        counter = theirs.removesuffix("running_mean") + COUNTER
        if ours.endswith("running_mean") and counter in tensors:
            yield ours.removesuffix("running_mean") + COUNTER, counter
