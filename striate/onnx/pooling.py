"""Readers of pools."""

from __future__ import annotations

from math import inf

from striate import ops
from striate.onnx.call import Call
from striate.onnx.convolution import Pairs, pads_of, per_axis, spatial
from striate.onnx.registry import reads
from striate.onnx.value import Value

MAXIMA = {1: ops.MaxPool1d, 2: ops.MaxPool2d, 3: ops.MaxPool3d}
MEANS = {1: ops.AvgPool1d, 2: ops.AvgPool2d, 3: ops.AvgPool3d}
WHOLE_MEANS = {1: ops.AdaptiveAvgPool1d, 2: ops.AdaptiveAvgPool2d, 3: ops.AdaptiveAvgPool3d}
WHOLE_MAXIMA = {1: ops.AdaptiveMaxPool1d, 2: ops.AdaptiveMaxPool2d, 3: ops.AdaptiveMaxPool3d}
UNPOOLS = {1: ops.MaxUnpool1d, 2: ops.MaxUnpool2d, 3: ops.MaxUnpool3d}


@reads("GlobalAveragePool", 1, 22)
def global_average(call: Call) -> str:
    axes = len(spatial(call))
    return call.emit(WHOLE_MEANS[axes]((1,) * axes), call.value())


@reads("GlobalMaxPool", 1, 22)
def global_maximum(call: Call) -> str:
    axes = len(spatial(call))
    return call.emit(WHOLE_MAXIMA[axes]((1,) * axes), call.value())


def _window(call: Call) -> tuple[int, tuple[int, ...], tuple[int, ...], tuple[int, ...], bool]:
    """Axes, kernel, strides, dilations, and whether the number of windows is rounded up."""
    axes = len(spatial(call))
    kernel = tuple(call.integers("kernel_shape") or call.required("kernel_shape"))
    strides, dilations = per_axis(call, "strides", axes), per_axis(call, "dilations", axes)
    ceil = bool(call.integer("ceil_mode", 0)) and call.text("auto_pad", "NOTSET") == "NOTSET"
    return axes, kernel, strides, dilations, ceil


def _fits(pads: Pairs, kernel: tuple[int, ...]) -> bool:
    """Whether a pool word takes this padding: at most half of its window on each side."""
    return all(max(pair) <= size // 2 for pair, size in zip(pads, kernel, strict=True))


@reads("MaxPool", 8, 10, 11, 12, 22)
def maximum(call: Call) -> list[Value] | str:
    axes, kernel, strides, dilations, ceil = _window(call)
    pads = pads_of(call, kernel, strides, dilations)
    indices = len(call.node.output) > 1 and bool(call.node.output[1])
    call.only("storage_order", 0)
    value = call.value()
    if not _fits(pads, kernel):
        if indices or ceil:
            call.refuse(f"its padding must be at most half of its window {kernel}, got {pads}")
        value, pads = call.emit(ops.Pad(pads, value=-inf), value), ((0, 0),) * axes
    op = MAXIMA[axes](kernel, strides, pads, dilations, return_indices=indices, ceil_mode=ceil)
    pooled = call.emit(op, value)
    return [pooled, f"{pooled}:1"] if indices else pooled


@reads("AveragePool", 7, 10, 11, 19, 22)
def average(call: Call) -> str:
    axes, kernel, strides, dilations, ceil = _window(call)
    pads, padded = pads_of(call, kernel, strides, dilations), bool(call.integer("count_include_pad", 0))
    if set(dilations) != {1}:
        call.refuse(f"no word averages over a dilated window, got dilations {dilations}; use a convolution")
    if not _fits(pads, kernel) and not (padded and not ceil):
        call.refuse(f"its padding must be at most half of its window {kernel}, got {pads}")
    value = call.value()
    if not _fits(pads, kernel):
        value, pads = call.emit(ops.Pad(pads), value), ((0, 0),) * axes
    return call.emit(MEANS[axes](kernel, strides, pads, ceil, padded), value)


@reads("MaxUnpool", 9, 11, 22)
def unpool(call: Call) -> str:
    """Of the indices of a MaxPool here; ONNX counts them over the whole batch, words over a plane."""
    axes = len(spatial(call))
    kernel = tuple(call.integers("kernel_shape") or call.required("kernel_shape"))
    strides, pads = per_axis(call, "strides", axes), call.integers("pads", [0] * 2 * axes)
    indices = call.value(1)
    if not indices.endswith(":1"):
        call.refuse("its indices must come straight from a MaxPool")
    if len(pads) != 2 * axes or pads[:axes] != pads[axes:]:
        call.refuse(f"its padding must be equal on both sides, got {pads}")
    size = None
    if call.given(2):
        size = tuple(call.wholes(2, "output_shape")[2:])
    return call.emit(UNPOOLS[axes](kernel, strides, tuple(pads[:axes]), size), call.value(0), indices)


@reads("LpPool", 11, 18, 22)
def root_of_powers(call: Call) -> str:
    """(sum of |x|^p over the window)^(1/p), for p = 1 and 2."""
    axes, kernel, strides, dilations, ceil = _window(call)
    pads, p = pads_of(call, kernel, strides, dilations), call.integer("p", 2)
    if set(dilations) != {1} or ceil or p not in (1, 2):
        call.refuse(f"only p = 1 and 2 over plain windows have words, got p = {p}, dilations {dilations}")
    x = call.value()
    powers = call.emit(ops.Absolute(), x) if p == 1 else call.emit(ops.Multiply(), x, x)
    if any(pair != (0, 0) for pair in pads):
        powers = call.emit(ops.Pad(pads), powers)
    total = call.emit(_sum_pool(axes, kernel, strides), powers)
    return total if p == 1 else call.emit(ops.SquareRoot(), total)


def _sum_pool(axes: int, kernel: tuple[int, ...], strides: tuple[int, ...]) -> ops.AvgPool:
    return MEANS[axes](kernel, strides, divisor_override=1)
