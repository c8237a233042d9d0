"""Sizes that come out of a module, found without computing anything: a pass over meta tensors.

torch answers many functions of meta tensors by Python code that first imports its compiler, for seconds, and
is slow afterwards. Functions whose answer has the shape of their input are therefore not asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn import init
from torch.overrides import TorchFunctionMode

from striate.errors import ShapeError
from striate.layers.auxiliary import logits_of

KEEP_SHAPE = {
    *(F.relu, F.relu6, F.leaky_relu, F.elu, F.gelu, F.silu, F.mish, F.hardtanh, F.hardswish, F.hardsigmoid),
    *(
        F.dropout,
        F.dropout2d,
        torch.relu,
        torch.tanh,
        torch.sigmoid,
        Tensor.relu,
        Tensor.tanh,
        Tensor.sigmoid,
    ),
}
STARTS = {  # what gives a tensor its first values; torch.nn.init hands on its own functions whole
    *(init.normal_, init.uniform_, init.constant_, init.kaiming_uniform_, init.kaiming_normal_),
    *(Tensor.normal_, Tensor.uniform_, Tensor.zero_, Tensor.fill_),
    *(Tensor.erfinv_, Tensor.mul_, Tensor.add_, Tensor.clamp_),
}


class ShapesOnly(TorchFunctionMode):
    """Inside, on meta tensors, shape-keeping functions are answered with their input."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in KEEP_SHAPE or (func is F.batch_norm and _fits(*args[:2])):
            return args[0]
        return func(*args, **(kwargs or {}))


class _Undrawn(TorchFunctionMode):
    """Starting weights stay undrawn."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in STARTS:
            tensor = kwargs["tensor"] if "tensor" in kwargs else args[0]
            if tensor.is_meta:
                return tensor
        return func(*args, **kwargs)


@contextmanager
def without_memory() -> Iterator[None]:
    """Inside, modules are built on the meta device, and no time is spent on weights that are not there."""
    with torch.device("meta"), _Undrawn():
        yield


def _fits(x: Tensor, running_mean: Tensor | None = None) -> bool:
    return running_mean is not None and x.ndim > 1 and x.shape[1] == running_mean.shape[0]


def output_shape(module: nn.Module, input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that ``module`` makes of ``input_shape``, both with the batch as first size.

    The module's own weights, buffers and mode stay untouched. Raises ShapeError naming the layer whose
    input is too small for its window, or whose expectation the input does not meet.
    """
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    meta = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
    reached: list[tuple[str, nn.Module, tuple[int, ...]]] = []  # the last entry is where a failure happened

    def note(name: str) -> Any:
        def before(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
            reached.append((name, layer, tuple(inputs[0].shape)))

        return before

    hooks = [layer.register_forward_pre_hook(note(name)) for name, layer in module.named_modules()]
    try:
        with ShapesOnly():
            output = functional_call(module, meta, (torch.empty(input_shape, device="meta"),))
    except (RuntimeError, ValueError) as error:
        name, layer, shape = reached[-1]
        raise ShapeError(
            f"{name or 'the network'} ({type(layer).__name__}) cannot take {_size(shape)}: {_reason(error)}",
            layer=name or None,
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(logits_of(output).shape)


def _size(shape: tuple[int, ...]) -> str:
    """What came in, without its batch: "a map of 7x1 with 128 channels", or "400 values"."""
    pixels = "x".join(map(str, shape[2:]))
    return f"a map of {pixels} with {shape[1]} channels" if pixels else f"{shape[1]} values"


def _reason(error: Exception) -> str:
    """The first sentence of torch's message."""
    return str(error).strip().splitlines()[0].rstrip(".") + "."
