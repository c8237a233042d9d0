"""Adaptive pooling: as many windows as there shall be outputs, as large as that takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from striate import ops
from striate.reference.gradient import Gradients, gives, gradient
from striate.reference.meaning import Array, Index, meaning
from striate.reference.place import added_at, flat
from striate.reference.window import require_axes


@meaning(ops.AdaptiveAvgPool1d, ops.AdaptiveAvgPool2d, ops.AdaptiveAvgPool3d)
def adaptive_average_pool(op: ops.AdaptivePool, x: Array) -> Array:
    """y[n, c, i] = mean of x[n, c, floor(i*W/N) : ceil((i+1)*W/N)]."""
    sizes = _adaptive_sizes(op, x)
    y = np.empty((*x.shape[:2], *sizes), x.dtype)
    for cell in np.ndindex(*sizes):
        y[(..., *cell)] = x[_bin(cell, sizes, x.shape[2:])].mean(tuple(range(2, x.ndim)))
    return y


@gradient(ops.AdaptiveAvgPool1d, ops.AdaptiveAvgPool2d, ops.AdaptiveAvgPool3d)
def adaptive_average_pool_gradient(op: ops.AdaptivePool, g: Array, x: Array) -> Gradients:
    """dx of every value in window i += g[n, c, i] / size of the window."""
    sizes, dx = _adaptive_sizes(op, x), np.zeros(x.shape, g.dtype)
    for cell in np.ndindex(*sizes):
        inside = _bin(cell, sizes, x.shape[2:])
        share = g[(..., *cell)] / prod(dx[inside].shape[2:])
        dx[inside] += share.reshape(*share.shape, *[1] * op.axes)
    return gives(dx)


@meaning(ops.AdaptiveMaxPool1d, ops.AdaptiveMaxPool2d, ops.AdaptiveMaxPool3d)
def adaptive_maximum_pool(op: ops.AdaptiveMaxPool, x: Array) -> Array | tuple[Array, Array]:
    """y[n, c, i] = max of x[n, c, floor(i*W/N) : ceil((i+1)*W/N)]."""
    sizes = _adaptive_sizes(op, x)
    y = np.empty((*x.shape[:2], *sizes), x.dtype)
    indices = np.empty(y.shape, np.int64)
    plane = np.arange(prod(x.shape[2:])).reshape(x.shape[2:])
    for cell in np.ndindex(*sizes):
        inside = _bin(cell, sizes, x.shape[2:])
        values = flat(x[inside], op.axes)
        y[(..., *cell)] = values.max(-1)
        indices[(..., *cell)] = plane[inside].ravel()[values.argmax(-1)]
    return (y, indices) if op.return_indices else y


@gradient(ops.AdaptiveMaxPool1d, ops.AdaptiveMaxPool2d, ops.AdaptiveMaxPool3d)
def adaptive_maximum_pool_gradient(op: ops.AdaptiveMaxPool, g: Array, x: Array) -> Gradients:
    """All of g[n, c, i] goes to the winner of window i, the first among equals."""
    _, winners = adaptive_maximum_pool(replace(op, return_indices=True), x)
    return gives(added_at(winners, g, x.shape))


def _adaptive_sizes(op: ops.AdaptivePool, x: Array) -> tuple[int, ...]:
    require_axes(x, op.axes)
    return tuple(size if n is None else n for n, size in zip(op.output_size, x.shape[2:], strict=True))


def _bin(cell: Sequence[int], counts: Sequence[int], sizes: Sequence[int]) -> Index:
    bins = (
        slice(i * size // n, -(-(i + 1) * size // n)) for i, n, size in zip(cell, counts, sizes, strict=True)
    )
    return (..., *bins)
