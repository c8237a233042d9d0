"""Values moved, summed over axes, and pictures enlarged."""

from __future__ import annotations

from math import floor, prod

import numpy as np

from striate import ops
from striate.errors import ShapeError, UnsupportedError
from striate.reference.meaning import Array, meaning


@meaning(ops.Flatten)
def flatten(op: ops.Flatten, x: Array) -> Array:
    """Axes ``start_dim`` to ``end_dim`` become one."""
    first, last = (_axis(dim, x) for dim in (op.start_dim, op.end_dim))
    if first > last:
        raise ShapeError(
            f"start_dim must not come after end_dim, got {op.start_dim} and {op.end_dim} for {x.ndim} axes: "
            "swap the two."
        )
    return x.reshape(*x.shape[:first], prod(x.shape[first : last + 1]), *x.shape[last + 1 :])


@meaning(ops.Reshape)
def reshape(op: ops.Reshape, x: Array) -> Array:
    """(N, *shape), one size of which may follow from the others (-1)."""
    values, named = prod(x.shape[1:]), prod(size for size in op.shape if size != -1)
    sizes = [values // max(named, 1) if size == -1 else size for size in op.shape]
    if x.ndim < 1 or prod(sizes) != values:
        raise ShapeError(
            f"shape must hold the {values} values of each sample {x.shape[1:]}, got {op.shape}: "
            "write -1 for one of the sizes."
        )
    return x.reshape(x.shape[0], *sizes)


@meaning(ops.Permute)
def permute(op: ops.Permute, x: Array) -> Array:
    """Output axis i is input axis dims[i]."""
    if x.ndim != len(op.dims):
        raise ShapeError(f"dims must name the input's {x.ndim} axes, got {op.dims}: list every axis once.")
    return x.transpose(op.dims)


@meaning(ops.Mean)
def mean(op: ops.Mean, x: Array) -> Array:
    """The mean over axes ``dim``; none named: over all, as in PyTorch."""
    return x.mean(op.dim or None, keepdims=op.keepdim)  # type: ignore[no-any-return]


@meaning(ops.Sum)
def total(op: ops.Sum, x: Array) -> Array:
    """The sum over axes ``dim``; none named: over all, as in PyTorch."""
    return x.sum(op.dim or None, keepdims=op.keepdim)  # type: ignore[no-any-return]


@meaning(ops.Slice)
def entries(op: ops.Slice, x: Array) -> Array:
    """Entries start, start + step, ... before ``end`` of axis ``dim``; below 0: from the end."""
    index = [slice(None)] * x.ndim
    index[_axis(op.dim, x)] = slice(op.start, op.end, op.step)
    return x[tuple(index)]


@meaning(ops.ChannelShuffle)
def channel_shuffle(op: ops.ChannelShuffle, x: Array) -> Array:
    """Channel g * (C/G) + j moves to j * G + g: the table (G, C/G) is transposed."""
    if x.ndim < 2 or x.shape[1] % op.groups:
        raise ShapeError(
            f"channels must be divisible by groups={op.groups}, got shape {x.shape}: choose other groups."
        )
    table = x.reshape(x.shape[0], op.groups, x.shape[1] // op.groups, *x.shape[2:])
    return table.swapaxes(1, 2).reshape(x.shape)


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
        x = _nearest(x, axis, count, step) if op.mode == "nearest" else _linear(op, x, axis, count, step)
    return x


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
    i, size = np.arange(count), x.shape[axis]
    r = i * ((size - 1) / max(count - 1, 1)) if op.align_corners else np.maximum((i + 0.5) * step - 0.5, 0)
    left = np.minimum(np.floor(r).astype(int), size - 1)
    right = np.minimum(left + 1, size - 1)
    share = (r - left).astype(x.dtype).reshape(-1, *[1] * (x.ndim - axis - 1))
    y: Array = x.take(left, axis) * (1 - share) + x.take(right, axis) * share
    return y


def _axis(dim: int, x: Array) -> int:
    if not -x.ndim <= dim < x.ndim:
        raise ShapeError(
            f"dim must name one of the {x.ndim} axes, got {dim}: choose {-x.ndim} to {x.ndim - 1}."
        )
    return dim % x.ndim
