"""Pictures resampled: enlarged, or made smaller."""

from __future__ import annotations

from math import floor

import numpy as np

from striate import ops
from striate.errors import ShapeError, UnsupportedError
from striate.reference.gradient import Gradients, gives, gradient, transposed
from striate.reference.meaning import Array, meaning

Neighbours = tuple[np.ndarray, np.ndarray, np.ndarray]


@meaning(ops.Upsample)
def upsample(op: ops.Upsample, x: Array) -> Array:
    """Each spatial axis in turn: output i looks at the input's position r(i).

    nearest: x[floor(i * W/N)]; linear, with r = (i + 1/2) * W/N - 1/2, or i * (W-1)/(N-1) for
    ``align_corners``: x[floor r] and its neighbour, weighted by how near they are. Where the size follows
    from a ``scale_factor`` s, 1/s stands for W/N, as in PyTorch.
    """
    axes = x.ndim - 2
    if axes < 1 or op.mode not in ("nearest", {1: "linear", 2: "bilinear"}.get(axes)):
        raise ShapeError(
            f"mode must fit the number of spatial axes, got {op.mode!r} for shape {x.shape}: "
            "linear is for 1, bilinear for 2, nearest for any."
        )
    if op.align_corners and op.mode == "nearest":
        raise UnsupportedError("align_corners has no meaning for mode 'nearest': leave it out.")
    for axis, (count, step) in enumerate(_grid(op, x.shape[2:]), start=2):
        x = _resampled(op, x, axis, count, step)
    return x


@gradient(ops.Upsample)
def upsample_gradient(op: ops.Upsample, g: Array, x: Array) -> Gradients:
    """What arrives at output i goes to the pixels it looked at, by the same weights.

    On each axis resampling is a matrix, what it makes of the unit vectors; back goes its transpose.
    """
    for axis, (count, step) in enumerate(_grid(op, x.shape[2:]), start=2):
        g = transposed(_resampled(op, np.eye(x.shape[axis], dtype=g.dtype), 0, count, step), g, axis)
    return gives(g)


def _resampled(op: ops.Upsample, x: Array, axis: int, count: int, step: float) -> Array:
    return _nearest(x, axis, count, step) if op.mode == "nearest" else _linear(op, x, axis, count, step)


def _grid(op: ops.Upsample, sizes: tuple[int, ...]) -> list[tuple[int, float]]:
    """For each axis the new size, and how far apart its pixels lie in the old one."""
    given = op.size or op.scale_factor or ()
    if len(given) not in (1, len(sizes)):
        raise ShapeError(
            f"size or scale_factor must have 1 entry or one for each of {len(sizes)} axes, got {given}: "
            "write one for each."
        )
    wanted = given * len(sizes) if len(given) == 1 else given
    if op.size is not None:
        return [(int(count), size / count) for size, count in zip(sizes, wanted, strict=True)]
    counts = [floor(size * factor) for size, factor in zip(sizes, wanted, strict=True)]
    if min(counts) < 1:
        raise ShapeError(
            f"scale_factor must leave at least 1 value on every axis of {sizes}, got {given}: raise it."
        )
    return [(count, 1 / factor) for count, factor in zip(counts, wanted, strict=True)]


def _nearest(x: Array, axis: int, count: int, step: float) -> Array:
    size = x.shape[axis]
    # in single precision, as PyTorch's networks do: it decides where a product falls just short of an integer
    place = np.floor(np.arange(count, dtype=np.float32) * np.float32(step)).astype(int)
    y: Array = x.take(np.minimum(place, size - 1), axis)
    return y


def _linear(op: ops.Upsample, x: Array, axis: int, count: int, step: float) -> Array:
    left, right, near = _between(op, x.shape[axis], count, step)
    share = near.astype(x.dtype).reshape(-1, *[1] * (x.ndim - axis - 1))
    y: Array = x.take(left, axis) * (1 - share) + x.take(right, axis) * share
    return y


def _between(op: ops.Upsample, size: int, count: int, step: float) -> Neighbours:
    i = np.arange(count)
    r = i * ((size - 1) / max(count - 1, 1)) if op.align_corners else np.maximum((i + 0.5) * step - 0.5, 0)
    left = np.minimum(np.floor(r).astype(int), size - 1)
    return left, np.minimum(left + 1, size - 1), r - left


def neighbours(op: ops.Upsample, sizes: tuple[int, ...]) -> list[Neighbours]:
    """For each axis of a linear ``op``: both pixels that each output lies between, and the second's share."""
    grid = _grid(op, sizes)
    return [_between(op, size, count, step) for size, (count, step) in zip(sizes, grid, strict=True)]
