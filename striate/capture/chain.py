"""A chain of torch's own layers, read part by part: no program has to be exported.

``nn.Sequential`` in ``nn.Sequential`` of plain layers says by its parts all that there is to know. What
torch.export tells of it is the same, but to import what that needs takes as long as a small training's epoch.
What is not exactly such a chain (its own forward, a hook, tied tensors, a part used twice) is exported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from striate import ops
from striate.capture.fixed import as_array
from striate.capture.program import evaluation_mode
from striate.graph import Shape
from striate.sketch import Draft, Place, Sketch, Weight

INPUT = "input"  # as nn.Sequential's forward calls it
Reader = Callable[[Any, Tensor], ops.Op | None]


def chained(module: nn.Module, example: tuple[Tensor, ...]) -> Sketch | None:
    """What an exported program of ``module`` would be read as, for every batch size; None: no such chain.

    The example passes through part by part, so that a part which cannot take it is found; then, too, the
    answer is None, and torch.export says what is wrong.
    """
    if len(example) != 1 or example[0].is_meta or not _simple(module):
        return None
    parts = dict(_parts("", module))
    if any(type(part) not in READERS and type(part) is not nn.Identity for part in parts.values()):
        return None
    sketch, value, x = Sketch(), INPUT, example[0].clone()
    sketch.inputs[INPUT] = sketch.shapes[INPUT] = _shape(x)
    with evaluation_mode(module), torch.no_grad():
        for path, part in parts.items():
            if type(part) is nn.Identity:
                continue
            if value == INPUT and getattr(part, "inplace", False):
                return None  # it would change what the network is given
            try:
                op, y = READERS[type(part)](part, x), part(x)
            except Exception:  # whatever a layer or a word raises: torch.export meets it again, and says it
                return None
            if op is None or not isinstance(y, Tensor) or y.shape[:1] != x.shape[:1]:
                return None
            if not isinstance(op, ops.Flatten) or x.shape != y.shape:
                weights = {role: Weight(f"{path}.{role}", as_array(getattr(part, role))) for role in op.roles}
                value = sketch.add(Draft(op, (value,), weights, Place(path, path, builtin=True)), _shape(y))
            x = y
    sketch.outputs = (value,)
    return sketch if value != INPUT else None


def _parts(path: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The layers in the order in which they run, by their paths."""
    for name, part in module.named_children():
        inner = f"{path}.{name}" if path else name
        if _sequential(part):
            yield from _parts(inner, part)
        else:
            yield inner, part


def _sequential(module: nn.Module) -> bool:
    if not isinstance(module, nn.Sequential):
        return False
    kind = type(module)
    return (
        kind.forward is nn.Sequential.forward
        and kind.__iter__ is nn.Sequential.__iter__
        and kind.__call__ is nn.Sequential.__call__
    )


def _simple(module: nn.Module) -> bool:
    """Whether it is a sequence whose parts do what their classes say, each once, on tensors of their own."""
    hooks = torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks
    if hooks or not _sequential(module):
        return False
    parts = [part for _, part in module.named_modules(remove_duplicate=False)]
    tensors = [
        tensor
        for tensors in (module.named_parameters, module.named_buffers)
        for _, tensor in tensors(remove_duplicate=False)
    ]
    return (
        len({id(part) for part in parts}) == len(parts)
        and len({id(tensor) for tensor in tensors}) == len(tensors)
        and all(type(tensor) in (Tensor, nn.Parameter) and not tensor.is_meta for tensor in tensors)
        and not any(part._forward_hooks or part._forward_pre_hooks for part in parts)
        and not any(name in vars(part) for part in parts for name in ("forward", "_conv_forward"))
    )


def _shape(tensor: Tensor) -> Shape:
    return ("N", *tensor.shape[1:])


# --- one reader a layer: its word; None where the layer is used in a way that is left to torch.export -----


def _convolution(layer: nn.Conv2d, x: Tensor) -> ops.Op | None:
    if x.ndim != 4 or layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        return None
    return ops.Conv2d(
        in_channels=layer.in_channels,
        out_channels=layer.out_channels,
        kernel_size=layer.kernel_size,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        groups=layer.groups,
        bias=layer.bias is not None,
    )


def _max_pool(layer: nn.MaxPool2d, x: Tensor) -> ops.Op | None:
    if x.ndim != 4 or layer.return_indices:
        return None
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    return ops.MaxPool2d(**{name: getattr(layer, name) for name in names})


def _average_pool(layer: nn.AvgPool2d, x: Tensor) -> ops.Op | None:
    if x.ndim != 4:
        return None
    names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    return ops.AvgPool2d(**{name: getattr(layer, name) for name in names})


def _batch_norm(layer: nn.BatchNorm2d, x: Tensor) -> ops.Op | None:
    if layer.running_mean is None or layer.running_var is None:
        return None
    if (layer.weight is None) != (layer.bias is None):
        return None
    return ops.BatchNorm(layer.num_features, layer.eps, affine=layer.weight is not None)


def _linear(layer: nn.Linear, x: Tensor) -> ops.Op | None:
    return ops.Linear(layer.in_features, layer.out_features, layer.bias is not None)


def _flatten(layer: nn.Flatten, x: Tensor) -> ops.Op | None:
    start, end = layer.start_dim % x.ndim, layer.end_dim % x.ndim
    return ops.Flatten(start, -1 if end == x.ndim - 1 else end) if start > 0 else None


def _fixed(op: ops.Op) -> Reader:
    return lambda layer, x: op


READERS: dict[type[nn.Module], Reader] = {
    nn.Conv2d: _convolution,
    nn.MaxPool2d: _max_pool,
    nn.AvgPool2d: _average_pool,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.Linear: _linear,
    nn.Flatten: _flatten,
    nn.ReLU: _fixed(ops.ReLU()),
    nn.Sigmoid: _fixed(ops.Sigmoid()),
    nn.Tanh: _fixed(ops.Tanh()),
    nn.SiLU: _fixed(ops.SiLU()),
    nn.LeakyReLU: lambda layer, x: ops.LeakyReLU(layer.negative_slope),
    nn.GELU: lambda layer, x: ops.GELU(layer.approximate),
    nn.Dropout: lambda layer, x: ops.Dropout(layer.p),
}
