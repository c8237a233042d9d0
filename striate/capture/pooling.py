"""Readers of pooling, adaptive pooling and unpooling."""

from __future__ import annotations

from typing import Any

from striate import ops
from striate.capture.call import Call, Value
from striate.capture.registry import reads
from striate.graph import owner

MAXIMA: dict[int, type[ops.ExtremePool]] = {1: ops.MaxPool1d, 2: ops.MaxPool2d, 3: ops.MaxPool3d}
AVERAGES: dict[int, type[ops.AvgPool]] = {1: ops.AvgPool1d, 2: ops.AvgPool2d, 3: ops.AvgPool3d}
UNPOOLS: dict[int, type[ops.MaxUnpool]] = {2: ops.MaxUnpool2d, 3: ops.MaxUnpool3d}
ADAPTIVE_AVERAGES: dict[int, type[ops.AdaptivePool]] = {
    1: ops.AdaptiveAvgPool1d,
    2: ops.AdaptiveAvgPool2d,
    3: ops.AdaptiveAvgPool3d,
}
ADAPTIVE_MAXIMA: dict[int, type[ops.AdaptiveMaxPool]] = {
    1: ops.AdaptiveMaxPool1d,
    2: ops.AdaptiveMaxPool2d,
    3: ops.AdaptiveMaxPool3d,
}


def _axes(call: Call) -> int:
    """Spatial axes, read off the operation's name ("aten.max_pool2d.default"); the batch must be there."""
    axes = next(int(character) for character in call.operation if character.isdigit())
    if len(call.shape("self")) != axes + 2:
        call.refuse("its input has no batch axis; add one")
    return axes


def _window(call: Call) -> dict[str, Any]:
    return {
        "kernel_size": call.numbers("kernel_size"),
        "stride": call.numbers("stride") or None,
        "padding": call.numbers("padding"),
        "ceil_mode": bool(call["ceil_mode"]),
    }


@reads(*(f"aten.max_pool{axes}d.default" for axes in MAXIMA))
def max_pool(call: Call) -> str:
    op = MAXIMA[_axes(call)](**_window(call), dilation=call.numbers("dilation"))  # type: ignore[arg-type]
    return call.emit(op, call.value("self"))


@reads(*(f"aten.max_pool{axes}d_with_indices.default" for axes in MAXIMA))
def max_pool_with_indices(call: Call) -> list[Value]:
    word = MAXIMA[_axes(call)]
    op = word(**_window(call), dilation=call.numbers("dilation"), return_indices=True)  # type: ignore[arg-type]
    return call.emit_pair(op, call.value("self"))


@reads(*(f"aten.avg_pool{axes}d.default" for axes in AVERAGES))
def avg_pool(call: Call) -> str:
    axes = _axes(call)
    divisor = None if axes == 1 else call["divisor_override"]  # torch has it from two axes on
    word = AVERAGES[axes]
    op = word(**_window(call), count_include_pad=bool(call["count_include_pad"]), divisor_override=divisor)
    return call.emit(op, call.value("self"))


@reads(*(f"aten.adaptive_avg_pool{axes}d.default" for axes in ADAPTIVE_AVERAGES))
def adaptive_avg_pool(call: Call) -> str:
    op = ADAPTIVE_AVERAGES[_axes(call)](call.numbers("output_size"))  # type: ignore[arg-type]
    return call.emit(op, call.value("self"))


@reads(*(f"aten.adaptive_max_pool{axes}d.default" for axes in ADAPTIVE_MAXIMA))
def adaptive_max_pool(call: Call) -> list[Value]:
    """Torch always computes the indices; they are kept only where somebody reads them."""
    word = ADAPTIVE_MAXIMA[_axes(call)]
    size = call.numbers("output_size")
    if not call.reads_output(1):
        return [call.emit(word(size), call.value("self"))]  # type: ignore[arg-type]
    return call.emit_pair(word(size, return_indices=True), call.value("self"))  # type: ignore[arg-type]


@reads(*(f"aten.max_unpool{axes}d.default" for axes in UNPOOLS))
def max_unpool(call: Call) -> str:
    """The kernel is not among the arguments: it is that of the pool whose indices these are."""
    axes = _axes(call)
    size = call.numbers("output_size")
    values, indices = call.value("self"), call.value("indices")
    pool = call.sketch.drafts.get(owner(indices))
    if pool is not None and isinstance(
        pool.op, ops.Reshape
    ):  # MaxUnpool1d: both inputs get an axis of size 1
        pool = call.sketch.drafts.get(owner(pool.inputs[0]))
    if pool is None or not isinstance(pool.op, ops.ExtremePool):
        call.refuse("its indices do not come from a maximum pool of the same network")
    ones = (1,) * (axes - pool.op.axes)
    op = UNPOOLS[axes](
        kernel_size=pool.op.kernel_size + ones,
        stride=pool.op.stride + ones,
        padding=(*pool.op.padding, *(0 for _ in ones)),
        output_size=size,  # type: ignore[arg-type]
    )
    return call.emit(op, values, indices)


@reads("aten.amax.default")
def maximum_over_space(call: Call) -> str:
    """x.amax((2, 3)): the adaptive pool of size 1 over all spatial axes."""
    shape = call.shape("self")
    axes = len(shape) - 2
    if call.axes("dim", len(shape)) != tuple(range(2, len(shape))) or axes not in ADAPTIVE_MAXIMA:
        call.refuse("only the maximum over all spatial axes has a word, AdaptiveMaxPool")
    pooled = (*shape[:2], *(1,) * axes)
    op = ADAPTIVE_MAXIMA[axes]((1,) * axes)
    key = call.emit(op, call.value("self"), shape=pooled)
    return key if call["keepdim"] else call.emit(ops.Flatten(), key)
