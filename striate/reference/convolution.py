"""Convolution and its adjoint, over any number of spatial axes, and their gradients.

Three sums say it all: windows times kernels (``_correlate``), pixels that paint kernels (``_paint``), and
pixels times windows (``_kernel_gradient``). The gradients of the first two are the other one and the third.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from striate import ops
from striate.errors import ShapeError
from striate.reference.gradient import Gradients, gives, gradient
from striate.reference.meaning import Array, Index, along, meaning, require_channels, summed_along
from striate.reference.padding import padded, unpadded
from striate.reference.window import landings, require_axes, windows

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


@gradient(ops.Conv1d, ops.Conv2d, ops.Conv3d)
def convolution_gradient(
    op: ops.Conv, g: Array, x: Array, weight: Array, bias: Array | None = None
) -> Gradients:
    """dx[n, c, s*i + d*u - p] += sum over k of w[k, c, u] * g[n, k, i]: every output paints its kernel back;
    dw[k, c, u] = sum over n, i of g[n, k, i] * x[n, c, s*i + d*u - p];  db[k] = sum over n, i of g[n, k, i].
    """
    grown = padded(x, op.pads, op.padding_mode)
    view = windows(grown, op.kernel_size, op.stride, op.dilation)
    dx = _paint(g, weight, op, grown.shape[2:])
    return gives(
        unpadded(dx, x.shape, op.pads, op.padding_mode),
        weight=_kernel_gradient(g, view, op.groups),
        bias=summed_along(g, 1),
    )


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
    sizes = _canvas_sizes(op, x.shape[2:])
    y = _paint(x, weight, op, sizes)[_inside(sizes, op.pads)]
    return y if bias is None else y + along(bias, 1, y.ndim)


@gradient(ops.ConvTranspose1d, ops.ConvTranspose2d, ops.ConvTranspose3d)
def transposed_convolution_gradient(
    op: ops.ConvTranspose, g: Array, x: Array, weight: Array, bias: Array | None = None
) -> Gradients:
    """dx[n, c, i] = sum over k, u of w[c, k, u] * g[n, k, s*i + d*u - p]: a convolution again;
    dw[c, k, u] = sum over n, i of x[n, c, i] * g[n, k, s*i + d*u - p];  db[k] = sum over n, i of g[n, k, i].
    """
    view = windows(padded(g, op.pads), op.kernel_size, op.stride, op.dilation)
    read: Index = (..., *map(slice, x.shape[2:]), *[slice(None)] * op.axes)  # output_padding may add windows
    return gives(
        _correlate(view[read], weight, op.groups),
        weight=_kernel_gradient(x, view[read], op.groups),
        bias=summed_along(g, 1),
    )


def _canvas_sizes(op: ops.ConvTranspose, sizes: Sequence[int]) -> list[int]:
    return [
        s * (size - 1) + span + extra
        for size, s, span, extra in zip(sizes, op.stride, op.span, op.output_padding, strict=True)
    ]


def _paint(x: Array, weight: Array, op: ops.Conv | ops.ConvTranspose, canvas_sizes: Sequence[int]) -> Array:
    """The adjoint of ``_correlate``: each x[n, c, i] adds w[c, :, u] * x to the places s*i + d*u of a canvas.

    x (N, C, *sizes), w (C, K / groups, *kernel) -> (N, K, *canvas_sizes).
    """
    images, channels, *sizes = x.shape
    pixels = x.reshape(images, op.groups, channels // op.groups, prod(sizes))
    kernels = weight.reshape(op.groups, channels // op.groups, -1, *op.kernel_size)
    painted = op.groups * kernels.shape[2]
    canvas = np.zeros((images, painted, *canvas_sizes), x.dtype)
    for u, at in landings(sizes, op.kernel_size, op.stride, op.dilation):
        where: Index = (..., *u)
        paint = kernels[where].swapaxes(1, 2) @ pixels  # (N, G, K/G, pixels)
        canvas[at] += paint.reshape(images, painted, *sizes)
    return canvas


def _kernel_gradient(g: Array, view: Array, groups: int) -> Array:
    """dw[k, c, u] = sum over n, i of g[n, k, i] * window[n, c, i, u], within each group."""
    images, filters = g.shape[:2]
    channels, axes = view.shape[1], g.ndim - 2
    outputs = g.swapaxes(0, 1).reshape(groups, filters // groups, images * prod(g.shape[2:]))
    kernel = view.shape[-axes:]
    columns = _taps_first(view).reshape(groups, channels // groups * prod(kernel), outputs.shape[2])
    dw = outputs @ columns.swapaxes(1, 2)
    return dw.reshape(filters, channels // groups, *kernel)


def _inside(sizes: Sequence[int], pads: ops.Pads) -> Index:
    for size, (before, after) in zip(sizes, pads, strict=True):
        if size - before - after < 1:
            raise ShapeError(
                f"padding must leave 1 of the {size} painted values, got {(before, after)}: lower it."
            )
    return (..., *(slice(before, size - after) for size, (before, after) in zip(sizes, pads, strict=True)))
