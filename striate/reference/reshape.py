"""Values moved, and summed over axes."""

from __future__ import annotations

from math import prod

import numpy as np

from striate import ops
from striate.errors import ShapeError
from striate.reference.gradient import Gradients, gives, gradient
from striate.reference.meaning import Array, Index, meaning


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


@gradient(ops.Flatten, ops.Reshape)
def reshape_gradient(op: ops.Flatten | ops.Reshape, g: Array, x: Array) -> Gradients:
    """The shape it had."""
    return gives(g.reshape(x.shape))


@meaning(ops.Permute)
def permute(op: ops.Permute, x: Array) -> Array:
    """Output axis i is input axis dims[i]."""
    if x.ndim != len(op.dims):
        raise ShapeError(f"dims must name the input's {x.ndim} axes, got {op.dims}: list every axis once.")
    return x.transpose(op.dims)


@gradient(ops.Permute)
def permute_gradient(op: ops.Permute, g: Array, x: Array) -> Gradients:
    """The axes where they were."""
    return gives(g.transpose(np.argsort(op.dims)))


@meaning(ops.Mean)
def mean(op: ops.Mean, x: Array) -> Array:
    """The mean over axes ``dim``; none named: over all, as in PyTorch."""
    return x.mean(op.dim or None, keepdims=op.keepdim)  # type: ignore[no-any-return]


@gradient(ops.Mean)
def mean_gradient(op: ops.Mean, g: Array, x: Array) -> Gradients:
    """g / count for each of the values that were averaged."""
    return gives(_spread(g, op, x) * (g.size / x.size))


@meaning(ops.Sum)
def total(op: ops.Sum, x: Array) -> Array:
    """The sum over axes ``dim``; none named: over all, as in PyTorch."""
    return x.sum(op.dim or None, keepdims=op.keepdim)  # type: ignore[no-any-return]


@gradient(ops.Sum)
def total_gradient(op: ops.Sum, g: Array, x: Array) -> Gradients:
    """g for each of the values that were added."""
    return gives(_spread(g, op, x))


def _spread(g: Array, op: ops.Mean | ops.Sum, x: Array) -> Array:
    named = {_axis(dim, x) for dim in op.dim or range(x.ndim)}
    kept = [1 if axis in named else size for axis, size in enumerate(x.shape)]
    return np.broadcast_to(g.reshape(kept), x.shape)


@meaning(ops.Slice)
def entries(op: ops.Slice, x: Array) -> Array:
    """Entries start, start + step, ... before ``end`` of axis ``dim``; below 0: from the end."""
    return x[_chosen(op, x)]


@gradient(ops.Slice)
def entries_gradient(op: ops.Slice, g: Array, x: Array) -> Gradients:
    """g for the entries that were taken, 0 for the others."""
    dx = np.zeros_like(x)
    dx[_chosen(op, x)] = g
    return gives(dx)


def _chosen(op: ops.Slice, x: Array) -> Index:
    return (*[slice(None)] * _axis(op.dim, x), slice(op.start, op.end, op.step))


@meaning(ops.ChannelShuffle)
def channel_shuffle(op: ops.ChannelShuffle, x: Array) -> Array:
    """Channel g * (C/G) + j moves to j * G + g: the table (G, C/G) is transposed."""
    if x.ndim < 2 or x.shape[1] % op.groups:
        raise ShapeError(
            f"channels must be divisible by groups={op.groups}, got shape {x.shape}: choose other groups."
        )
    table = x.reshape(x.shape[0], op.groups, x.shape[1] // op.groups, *x.shape[2:])
    return table.swapaxes(1, 2).reshape(x.shape)


@gradient(ops.ChannelShuffle)
def channel_shuffle_gradient(op: ops.ChannelShuffle, g: Array, x: Array) -> Gradients:
    """Channel j * G + g moves back to g * (C/G) + j: shuffled with C/G groups."""
    return gives(channel_shuffle(ops.ChannelShuffle(x.shape[1] // op.groups), g))


def _axis(dim: int, x: Array) -> int:
    if not -x.ndim <= dim < x.ndim:
        raise ShapeError(
            f"dim must name one of the {x.ndim} axes, got {dim}: choose {-x.ndim} to {x.ndim - 1}."
        )
    return dim % x.ndim
