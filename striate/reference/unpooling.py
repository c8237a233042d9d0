"""Unpooling: values put back where their maxima stood."""

from __future__ import annotations

from math import prod

import numpy as np

from striate import ops
from striate.errors import ShapeError
from striate.reference.gradient import Gradients, gives, gradient
from striate.reference.meaning import Array, meaning
from striate.reference.place import flat
from striate.reference.window import require_axes


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
    np.put_along_axis(y, flat(indices, op.axes), flat(x, op.axes), axis=-1)
    return y.reshape(*x.shape[:2], *sizes)


@gradient(ops.MaxUnpool1d, ops.MaxUnpool2d, ops.MaxUnpool3d)
def unpool_gradient(op: ops.MaxUnpool, g: Array, x: Array, indices: Array) -> Gradients:
    """dx[n, c, i] = g[n, c, indices[n, c, i]]; the indices are integers and have none.

    Where two values go to the same place only the last is seen, but both get its gradient, as in PyTorch.
    """
    dx = np.take_along_axis(flat(g, op.axes), flat(indices, op.axes), axis=-1)
    return gives(dx.reshape(x.shape), None)
