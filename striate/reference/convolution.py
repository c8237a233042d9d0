"""Convolution and its adjoint, over any number of spatial axes."""

from __future__ import annotations

from math import prod

import numpy as np

from striate import ops
from striate.errors import ShapeError
from striate.reference.meaning import Array, Index, along, meaning, require_channels
from striate.reference.padding import padded
from striate.reference.window import require_axes, windows

COLUMN_BYTES = 2**24  # windows are copied for the matrix product; a few images at a time fit in a cache


@meaning(ops.Conv1d, ops.Conv2d, ops.Conv3d)
def convolution(op: ops.Conv, x: Array, weight: Array, bias: Array | None = None) -> Array:
    """y[n, k, i] = b[k] + sum over c, u of w[k, c, u] * x[n, c, s*i + d*u - p].

    x (N, C, *sizes), w (K, C / groups, *kernel): output k sees only the channels c of its own group.
    """
    require_axes(x, op.axes)
    require_channels(x, op.in_channels, 1, "in_channels")
    x = padded(x, op.pads, op.padding_mode)
    y = _correlate(windows(x, op.kernel_size, op.stride, op.dilation), weight, op.groups)
    if bias is not None:
        y += along(bias, 1, y.ndim)
    return y


def _correlate(view: Array, weight: Array, groups: int) -> Array:
    """Sum of window times kernel, (N, C, *positions, *kernel) -> (N, K, *positions).

    One matrix product for each group and some images: (K/G, C/G * taps) @ (C/G * taps, images * positions).
    """
    images, channels = view.shape[:2]
    filters, axes = weight.shape[0], weight.ndim - 2
    positions = view.shape[2:-axes]
    rows = channels // groups * prod(weight.shape[2:])
    kernels = weight.reshape(groups, filters // groups, rows)
    y = np.empty((images, filters, *positions), view.dtype)
    step = max(1, COLUMN_BYTES // max(1, groups * rows * prod(positions) * view.itemsize))
    for first in range(0, images, step):
        some = slice(first, min(first + step, images))
        count = some.stop - first
        columns = _taps_first(view[some]).reshape(groups, rows, count * prod(positions))
        y[some] = (kernels @ columns).reshape(filters, count, *positions).swapaxes(0, 1)
    return y


def _taps_first(view: Array) -> Array:
    """(N, C, *positions, *kernel) -> (C, *kernel, N, *positions)."""
    axes = view.ndim // 2 - 1
    return view.transpose(1, *range(2 + axes, view.ndim), 0, *range(2, 2 + axes))


@meaning(ops.ConvTranspose1d, ops.ConvTranspose2d, ops.ConvTranspose3d)
def transposed_convolution(
    op: ops.ConvTranspose, x: Array, weight: Array, bias: Array | None = None
) -> Array:
    """y[n, k, s*i + d*u - p] += sum over c of w[c, k, u] * x[n, c, i]; then b[k] is added.

    Every input pixel i paints its kernel on a canvas; ``padding`` is cut from the canvas' sides.
    x (N, C, *sizes), w (C, K / groups, *kernel).
    """
    require_axes(x, op.axes)
    require_channels(x, op.in_channels, 1, "in_channels")
    images, sizes = x.shape[0], x.shape[2:]
    canvas_size = [
        s * (size - 1) + span + extra
        for size, s, span, extra in zip(sizes, op.stride, op.span, op.output_padding, strict=True)
    ]
    canvas = np.zeros((images, op.out_channels, *canvas_size), x.dtype)
    pixels = x.reshape(images, op.groups, op.in_channels // op.groups, prod(sizes))
    kernels = weight.reshape(op.groups, op.in_channels // op.groups, -1, *op.kernel_size)
    for u in np.ndindex(*op.kernel_size):
        paint = kernels[(..., *u)].swapaxes(1, 2) @ pixels  # (N, G, K/G, pixels)
        places = [
            slice(d * tap, d * tap + s * (size - 1) + 1, s)
            for tap, size, s, d in zip(u, sizes, op.stride, op.dilation, strict=True)
        ]
        at: Index = (..., *places)
        canvas[at] += paint.reshape(images, op.out_channels, *sizes)
    y = canvas[_inside(canvas_size, op.pads)]
    return y if bias is None else y + along(bias, 1, y.ndim)


def _inside(sizes: list[int], pads: ops.Pads) -> Index:
    for size, (before, after) in zip(sizes, pads, strict=True):
        if size - before - after < 1:
            raise ShapeError(
                f"padding must leave 1 of the {size} painted values, got {(before, after)}: lower it."
            )
    return (..., *(slice(before, size - after) for size, (before, after) in zip(sizes, pads, strict=True)))
