"""Shapes of words that move values: flatten, reshape, permute, mean, slice, shuffle."""

from __future__ import annotations

import math

from striate.arithmetic.derivation import Derivation, Derived, product, show
from striate.arithmetic.shape import axis_of, misfit, need_rank, number, rule
from striate.graph import Shape
from striate.ops import ChannelShuffle, Flatten, Mean, Permute, Reshape, Slice, Sum

_TO_THE_END = 2**31  # exporters write "to the last" as a very large end


@rule.register
def _flatten(op: Flatten, x: Shape) -> Derived:
    if not x:
        return Derived(((1,),))
    start, end = axis_of(op.start_dim, x, "start_dim"), axis_of(op.end_dim, x, "end_dim")
    if start > end:
        raise misfit("start_dim", f"not come after end_dim={op.end_dim}", op.start_dim, "swap the two")
    merged = x[start : end + 1]
    if any(isinstance(size, str) for size in merged):
        others = [size for size in merged if size != 1]
        if len(others) > 1:
            must = f"leave the symbolic batch alone in {show(x)}"
            raise misfit("start_dim", must, op.start_dim, "write start_dim=1, or give the batch as a number")
        return Derived(((*x[:start], others[0], *x[end + 1 :]),))
    numbers = tuple(number(size, "size") for size in merged)
    features = Derivation("features", "product of the sizes", product(numbers), math.prod(numbers))
    return Derived(((*x[:start], math.prod(numbers), *x[end + 1 :]),), (features,) if len(merged) > 1 else ())


@rule.register
def _reshape(op: Reshape, x: Shape) -> Derived:
    need_rank(x, 1)
    given = tuple(number(size, f"axis {axis}") for axis, size in enumerate(x[1:], start=1))
    values, known = math.prod(given), math.prod(size for size in op.shape if size != -1)
    fits = known > 0 and (values % known == 0 if -1 in op.shape else values == known)
    if not fits:
        must = f"hold the {product(given)} = {values} values of each sample of {show(x)}"
        raise misfit("shape", must, f"{op.shape} for {known} values", "leave one size open with -1")
    if -1 not in op.shape:
        return Derived(((x[0], *op.shape),))
    fixed = tuple(size for size in op.shape if size != -1)
    rest = values // known
    reason = Derivation("open size", "values / known sizes", f"{product(given)} / ({product(fixed)})", rest)
    return Derived(((x[0], *(rest if size == -1 else size for size in op.shape)),), (reason,))


@rule.register
def _permute(op: Permute, x: Shape) -> Derived:
    if len(op.dims) != len(x):
        raise misfit("dims", f"name all {len(x)} axes of {show(x)}", op.dims, "list every axis once")
    return Derived((tuple(x[dim] for dim in op.dims),))


@rule.register(Mean)
@rule.register(Sum)
def _reduce(op: Mean | Sum, x: Shape) -> Derived:
    dims = [axis_of(dim, x) for dim in op.dim] or list(range(len(x)))  # no axis: all of them, as in torch
    if len(set(dims)) < len(dims):
        raise misfit("dim", f"name every axis of {show(x)} once", op.dim, "leave the repeated axis out")
    if op.keepdim:
        return Derived((tuple(1 if axis in dims else size for axis, size in enumerate(x)),))
    return Derived((tuple(size for axis, size in enumerate(x) if axis not in dims),))


@rule.register
def _slice(op: Slice, x: Shape) -> Derived:
    axis = axis_of(op.dim, x)
    whole = op.start == 0 and (op.end is None or op.end >= _TO_THE_END)
    if whole and op.step == 1:
        return Derived((x,))
    size = number(x[axis], f"axis {axis}")
    start, end, step = slice(op.start, op.end, op.step).indices(size)
    count = Derivation(
        f"size of axis {axis}",
        "ceil((end - start) / step)",
        f"ceil(({end} - {start}) / {step})",
        max(0, -((start - end) // step)),
    )
    if count.result < 1:
        must = f"select something of the {size} entries on axis {axis}"
        raise misfit("start", must, f"start={op.start}, end={op.end}: {count}", "move start or end")
    return Derived(((*x[:axis], int(count.result), *x[axis + 1 :]),), (count,))


@rule.register
def _shuffle(op: ChannelShuffle, x: Shape) -> Derived:
    need_rank(x, 3)
    channels = number(x[1], "channels")
    if channels % op.groups:
        must = f"divide the {channels} channels that arrive"
        raise misfit("groups", must, op.groups, f"choose a divisor of {channels}")
    return Derived((x,))
