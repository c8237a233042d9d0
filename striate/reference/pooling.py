"""Pooling: the largest, smallest or mean value of each window, and where gradients go."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from math import prod

import numpy as np

from striate import ops
from striate.reference.gradient import Gradients, gives, gradient
from striate.reference.meaning import Array, meaning
from striate.reference.padding import padded, unpadded
from striate.reference.place import added_at, flat
from striate.reference.window import landings, require_axes, taps, windows


@meaning(ops.MaxPool1d, ops.MaxPool2d, ops.MaxPool3d)
def maximum_pool(op: ops.ExtremePool, x: Array) -> Array | tuple[Array, Array]:
    """y[n, c, i] = max over u of x[n, c, s*i + d*u - p]; padding is minus infinity and never wins."""
    require_axes(x, op.axes)
    overhang = _overhang(op, x)
    view = windows(padded(padded(x, op.pads, value=-np.inf), overhang, value=-np.inf), *_steps(op))
    y: Array = reduce(np.maximum, taps(view, op.axes))
    if not op.return_indices:
        return y
    plane = np.arange(prod(x.shape[2:])).reshape(1, 1, *x.shape[2:])
    place = windows(padded(padded(plane, op.pads, value=-1), overhang, value=-1), *_steps(op))
    return y, _winner(view, place, op.axes)


@gradient(ops.MaxPool1d, ops.MaxPool2d, ops.MaxPool3d)
def maximum_pool_gradient(op: ops.ExtremePool, g: Array, x: Array) -> Gradients:
    """dx at the winner of window i += g[n, c, i]; the losers get nothing. Among equals the first wins."""
    _, winners = maximum_pool(replace(op, return_indices=True), x)
    return gives(added_at(winners, g, x.shape))


@meaning(ops.MinPool1d, ops.MinPool2d, ops.MinPool3d)
def minimum_pool(op: ops.ExtremePool, x: Array) -> Array | tuple[Array, Array]:
    """y[n, c, i] = min over u of x[...] = -max(-x); padding is plus infinity and never wins."""
    result = maximum_pool(op, -x)
    return (-result[0], result[1]) if isinstance(result, tuple) else -result


@gradient(ops.MinPool1d, ops.MinPool2d, ops.MinPool3d)
def minimum_pool_gradient(op: ops.ExtremePool, g: Array, x: Array) -> Gradients:
    """All of g goes to the smallest value of its window, the first among equals."""
    return maximum_pool_gradient(op, g, -x)


@meaning(ops.AvgPool1d, ops.AvgPool2d, ops.AvgPool3d)
def average_pool(op: ops.AvgPool, x: Array) -> Array:
    """y[n, c, i] = sum over u of x[n, c, s*i + u - p], divided by the number of pixels that count.

    Real pixels count, those of the padding do with ``count_include_pad``, and those that ``ceil_mode``
    reaches beyond the padding never do.
    """
    require_axes(x, op.axes)
    grown = padded(padded(x, op.pads), _overhang(op, x))
    total: Array = sum(taps(windows(grown, *_steps(op)), op.axes))  # type: ignore[assignment]
    return total / _divisor(op, x)


@gradient(ops.AvgPool1d, ops.AvgPool2d, ops.AvgPool3d)
def average_pool_gradient(op: ops.AvgPool, g: Array, x: Array) -> Gradients:
    """dx[n, c, s*i + u - p] += g[n, c, i] / number of pixels that count: an equal share for each."""
    share, overhang = g / _divisor(op, x), _overhang(op, x)
    inner = padded(x, op.pads).shape
    outer = np.zeros_like(padded(np.empty(inner, g.dtype), overhang))
    for _, at in landings(g.shape[2:], *_steps(op)):
        outer[at] += share
    return gives(unpadded(unpadded(outer, inner, overhang), x.shape, op.pads))


def _divisor(op: ops.AvgPool, x: Array) -> Array | int:
    """How many pixels of each window count."""
    if op.divisor_override is not None:
        return op.divisor_override
    real = np.ones((1, 1, *x.shape[2:]), x.dtype)
    counts = padded(padded(real, op.pads, value=float(op.count_include_pad)), _overhang(op, x))
    divisor: Array = sum(taps(windows(counts, *_steps(op)), op.axes))  # type: ignore[assignment]
    return divisor


def _steps(op: ops.ExtremePool | ops.AvgPool) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    return op.kernel_size, op.stride, getattr(op, "dilation", (1,) * op.axes)


def _overhang(op: ops.ExtremePool | ops.AvgPool, x: Array) -> list[tuple[int, int]]:
    """With ``ceil_mode`` a last window may hang over the edge, if it starts inside input or left padding."""
    if not op.ceil_mode:
        return [(0, 0)] * op.axes
    extra = []
    for size, span, s, (before, after) in zip(x.shape[2:], op.span, op.stride, op.pads, strict=True):
        room = before + size + after - span
        last = -(-room // s)  # rounded up
        if last * s >= size + before:
            last -= 1
        extra.append((0, max(0, last * s - room)))
    return extra


def _winner(view: Array, place: Array, axes: int) -> Array:
    """The place of the first largest value in each window, never one of the padding (place -1)."""
    values = flat(view, axes)
    places = np.broadcast_to(flat(place, axes), values.shape)
    wins = ((values == values.max(-1, keepdims=True)) | np.isnan(values)) & (places >= 0)
    first = wins.argmax(-1)[..., None]
    return np.take_along_axis(places, first, -1)[..., 0]
