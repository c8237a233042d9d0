"""What is the same for every input is computed while reading: it becomes a tensor of the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from striate.capture.call import Fixed, refusal
from striate.capture.registry import functional_name
from striate.sketch import Place

# Operations that change the shape of a parameter at most: the result is still that parameter.
KEEPING = {
    *("view", "_unsafe_view", "reshape", "unsqueeze", "squeeze", "flatten", "unflatten"),
    *("alias", "clone", "detach", "contiguous", "to", "lift_fresh_copy"),
}


def is_fixed(value: object) -> bool:
    """Whether a value, or every value of a list, is a tensor known now."""
    return isinstance(value, Fixed) or (isinstance(value, list) and all(map(is_fixed, value)))


def computed(node: fx.Node, place: Place, resolve: Callable[[Any], Any]) -> Fixed | list[Fixed]:
    """Run an operation whose inputs are all fixed. Refused: random results, and changes of a parameter."""
    target: Any = node.target
    base = functional_name(str(target)).split(".")[1]
    if torch.Tag.nondeterministic_seeded in target.tags:
        raise refusal(str(target), place, "its result is random; draw it once and keep it as a buffer")
    args = [resolve(argument) for argument in node.args]
    kwargs = {name: _tensors(resolve(argument)) for name, argument in node.kwargs.items()}
    first = args[0] if args and isinstance(args[0], Fixed) else None
    tensors = _tensors(args)
    if target._schema.is_mutable and first is not None:
        if first.name is not None and base != "detach":
            reason = f"it changes {first.name!r} at every run, which a captured network does not"
            raise refusal(str(target), place, reason)
        tensors[0] = first.tensor.clone()
    with torch.no_grad():
        result = target(*tensors, **kwargs)
    if not isinstance(result, Tensor):
        return [Fixed(None, part) for part in result]
    keeps = first is not None and base in KEEPING and first.tensor.dtype == result.dtype
    return Fixed(first.name if first is not None and keeps else None, result)


def _tensors(value: Any) -> Any:
    """Fixed values replaced by their tensors, in nested lists."""
    if isinstance(value, Fixed):
        return value.tensor
    return [_tensors(entry) for entry in value] if isinstance(value, list) else value


def as_array(tensor: Tensor) -> np.ndarray:
    """The tensor's values; half precision widened to float32, which is exact.

    A tensor of the meta device has no values: the result is all NaN and takes no memory.
    """
    if tensor.is_meta:
        return np.broadcast_to(np.float32(np.nan), tuple(tensor.shape))
    plain = tensor.detach().cpu()
    if plain.dtype in (torch.bfloat16, torch.float16):
        plain = plain.float()
    return np.array(plain.numpy(), order="C", copy=True)
