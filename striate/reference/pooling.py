"""Pooling: the largest, smallest or mean value of each window, and unpooling."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod

import numpy as np

from striate import ops
from striate.errors import ShapeError
from striate.reference.meaning import Array, Index, meaning
from striate.reference.padding import padded
from striate.reference.window import require_axes, taps, windows


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


@meaning(ops.MinPool1d, ops.MinPool2d, ops.MinPool3d)
def minimum_pool(op: ops.ExtremePool, x: Array) -> Array | tuple[Array, Array]:
    """y[n, c, i] = min over u of x[...] = -max(-x); padding is plus infinity and never wins."""
    result = maximum_pool(op, -x)
    return (-result[0], result[1]) if isinstance(result, tuple) else -result


@meaning(ops.AvgPool1d, ops.AvgPool2d, ops.AvgPool3d)
def average_pool(op: ops.AvgPool, x: Array) -> Array:
    """y[n, c, i] = sum over u of x[n, c, s*i + u - p], divided by the number of pixels that count.

    Real pixels count, those of the padding do with ``count_include_pad``, and those that ``ceil_mode``
    reaches beyond the padding never do.
    """
    require_axes(x, op.axes)
    overhang = _overhang(op, x)
    total: Array = sum(taps(windows(padded(padded(x, op.pads), overhang), *_steps(op)), op.axes))  # type: ignore[assignment]
    if op.divisor_override is not None:
        return total / op.divisor_override
    real = np.ones((1, 1, *x.shape[2:]), x.dtype)
    counts = padded(padded(real, op.pads, value=float(op.count_include_pad)), overhang)
    divisor: Array = sum(taps(windows(counts, *_steps(op)), op.axes))  # type: ignore[assignment]
    return total / divisor


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
    flat = _flat(view, axes)
    places = np.broadcast_to(_flat(place, axes), flat.shape)
    wins = ((flat == flat.max(-1, keepdims=True)) | np.isnan(flat)) & (places >= 0)
    first = wins.argmax(-1)[..., None]
    return np.take_along_axis(places, first, -1)[..., 0]


def _flat(x: Array, axes: int) -> Array:
    """The last ``axes`` axes as one; reshape's -1 would not do for an empty batch."""
    return x.reshape(*x.shape[:-axes], prod(x.shape[-axes:]))


@meaning(ops.AdaptiveAvgPool1d, ops.AdaptiveAvgPool2d, ops.AdaptiveAvgPool3d)
def adaptive_average_pool(op: ops.AdaptivePool, x: Array) -> Array:
    """y[n, c, i] = mean of x[n, c, floor(i*W/N) : ceil((i+1)*W/N)]."""
    sizes = _adaptive_sizes(op, x)
    y = np.empty((*x.shape[:2], *sizes), x.dtype)
    for cell in np.ndindex(*sizes):
        y[(..., *cell)] = x[_bin(cell, sizes, x.shape[2:])].mean(tuple(range(2, x.ndim)))
    return y


@meaning(ops.AdaptiveMaxPool1d, ops.AdaptiveMaxPool2d, ops.AdaptiveMaxPool3d)
def adaptive_maximum_pool(op: ops.AdaptiveMaxPool, x: Array) -> Array | tuple[Array, Array]:
    """y[n, c, i] = max of x[n, c, floor(i*W/N) : ceil((i+1)*W/N)]."""
    sizes = _adaptive_sizes(op, x)
    y = np.empty((*x.shape[:2], *sizes), x.dtype)
    indices = np.empty(y.shape, np.int64)
    plane = np.arange(prod(x.shape[2:])).reshape(x.shape[2:])
    for cell in np.ndindex(*sizes):
        inside = _bin(cell, sizes, x.shape[2:])
        values = _flat(x[inside], op.axes)
        y[(..., *cell)] = values.max(-1)
        indices[(..., *cell)] = plane[inside].ravel()[values.argmax(-1)]
    return (y, indices) if op.return_indices else y


def _adaptive_sizes(op: ops.AdaptivePool, x: Array) -> tuple[int, ...]:
    require_axes(x, op.axes)
    return tuple(size if n is None else n for n, size in zip(op.output_size, x.shape[2:], strict=True))


def _bin(cell: Sequence[int], counts: Sequence[int], sizes: Sequence[int]) -> Index:
    bins = (
        slice(i * size // n, -(-(i + 1) * size // n)) for i, n, size in zip(cell, counts, sizes, strict=True)
    )
    return (..., *bins)


@meaning(ops.MaxUnpool1d, ops.MaxUnpool2d, ops.MaxUnpool3d)
def unpool(op: ops.MaxUnpool, x: Array, indices: Array) -> Array:
    """y[n, c, indices[n, c, i]] = x[n, c, i], zero elsewhere; without ``output_size``: s*(W-1) - 2p + k."""
    require_axes(x, op.axes)
    if x.shape != indices.shape:
        raise ShapeError(
            f"indices must have the values' shape {x.shape}, got {indices.shape}: pass a pool's."
        )
    sizes = op.output_size or tuple(
        s * (size - 1) - before - after + k
        for size, s, k, (before, after) in zip(x.shape[2:], op.stride, op.kernel_size, op.pads, strict=True)
    )
    room = prod(sizes)
    if indices.size and not 0 <= indices.min() <= indices.max() < room:
        raise ShapeError(
            f"indices must be places in a plane of {room} values, got {indices.max()}: "
            f"give the output_size that the pool's input had."
        )
    y = np.zeros((*x.shape[:2], room), x.dtype)
    np.put_along_axis(y, _flat(indices, op.axes), _flat(x, op.axes), axis=-1)
    return y.reshape(*x.shape[:2], *sizes)
