"""Sizes that come out of a module, found without computing anything: a pass over meta tensors.

torch answers many functions of meta tensors by Python code that first imports its compiler, for half a second
or more, and is slow afterwards. Functions whose answer has the shape of their input are therefore not asked,
nor are linear layers and plain windows in two axes; of what does not fit, torch is asked, and says what is
wrong.
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


class _SizesOnly(ShapesOnly):
    """Inside, layers with plain sizes are not run either, so that nobody can count what they would do."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        size = SIZES[func](*args, **(kwargs or {})) if func in SIZES else None
        if size is None:
            return super().__torch_function__(func, types, args, kwargs)
        return args[0].new_empty(size)


def _convolved(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[int, ...] | None:
    """The size of F.conv2d's answer; None: torch must be asked."""
    if x.dim() != 4 or not x.is_meta or x.dtype != weight.dtype or x.shape[1] != weight.shape[1] * groups:
        return None
    sides = _windows(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    return (x.shape[0], weight.shape[0], *sides) if sides is not None else None


def _pooled(
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    *others: Any,
    **more: Any,
) -> tuple[int, ...] | None:
    """The size of F.max_pool2d's answer, rounded down and without indices; None: torch must be asked."""
    if x.dim() != 4 or not x.is_meta or any(others) or any(more.values()) or padding not in (0, (0, 0)):
        return None
    sides = _windows(x.shape[2:], kernel_size, kernel_size if stride is None else stride, padding, dilation)
    return (*x.shape[:2], *sides) if sides is not None else None


def _windows(size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> tuple[int, ...] | None:
    """How many windows fit along each of two axes; None where there is none, or it is not so simple."""
    pairs = [(one, one) if isinstance(one, int) else one for one in (kernel, stride, padding, dilation)]
    if any(isinstance(pair, str) or len(pair) != 2 for pair in pairs):
        return None
    counts = [
        (side + 2 * pad - apart * (window - 1) - 1) // step + 1
        for side, window, step, pad, apart in zip(size, *pairs, strict=True)
    ]
    return tuple(counts) if min(counts) > 0 else None


def _mapped(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> tuple[int, ...] | None:
    """The size of F.linear's answer; None: torch must be asked."""
    if not x.is_meta or not x.dim() or weight.dim() != 2 or x.dtype != weight.dtype:
        return None
    return (*x.shape[:-1], weight.shape[0]) if x.shape[-1] == weight.shape[1] else None


SIZES: dict[Any, Any] = {torch.conv2d: _convolved, F.max_pool2d: _pooled, F.linear: _mapped}


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
        with _SizesOnly():
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
