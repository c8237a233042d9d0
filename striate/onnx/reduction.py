"""Readers of reductions over axes of one image."""

from __future__ import annotations

from math import prod

from striate import ops
from striate.onnx.call import Call
from striate.onnx.registry import reads


def _axes(call: Call) -> tuple[tuple[int, ...], bool]:
    """The axes and whether they stay, as axes of size 1. None given means all, or (``noop``) none."""
    rank = call.rank()
    axes = call.axes("axes", 1, rank)
    nothing = call.integer("noop_with_empty_axes", 0)
    keep = bool(call.integer("keepdims", 1))
    if not axes:
        axes = [] if nothing else list(range(rank))
    return tuple(sorted(set(axes))), keep


@reads("ReduceMean", 11, 13, 18)
def mean(call: Call) -> str:
    axes, keep = _axes(call)
    return call.emit(ops.Mean(axes, keep), call.value()) if axes else call.value()


def _sum(call: Call, value: str) -> str:
    axes, keep = _axes(call)
    return call.emit(ops.Sum(axes, keep), value) if axes else value


@reads("ReduceSum", 11, 13)
def total(call: Call) -> str:
    return _sum(call, call.value())


@reads("ReduceL1", 11, 13, 18)
def length_one(call: Call) -> str:
    return _sum(call, call.emit(ops.Absolute(), call.value()))


@reads("ReduceSumSquare", 11, 13, 18)
def squares(call: Call) -> str:
    x = call.value()
    return _sum(call, call.emit(ops.Multiply(), x, x))


@reads("ReduceL2", 11, 13, 18)
def length_two(call: Call) -> str:
    x = call.value()
    return call.emit(ops.SquareRoot(), _sum(call, call.emit(ops.Multiply(), x, x)))


@reads("ReduceMax", 11, 12, 13, 18, 20)
def maximum(call: Call) -> str:
    return _extreme(call, call.value())


@reads("ReduceMin", 11, 12, 13, 18, 20)
def minimum(call: Call) -> str:
    """The minimum is the maximum of the negatives, negated."""
    return call.emit(ops.Negate(), _extreme(call, call.emit(ops.Negate(), call.value())))


def _extreme(call: Call, x: str) -> str:
    """The axes are moved to the end and made one, over which a pool takes the maximum."""
    axes, keep = _axes(call)
    if not axes:
        return x
    sizes, rank = call.sizes(x), call.rank()
    if 0 in axes:
        call.refuse("it mixes the images of a batch: its axes include 0")
    others = [axis for axis in range(rank) if axis not in axes]
    moved = x
    if [*others, *axes] != list(range(rank)):
        moved = call.emit(ops.Permute((*others, *axes)), x)
    rest = [sizes[axis - 1] for axis in others[1:]]
    flat = call.reshape(moved, prod(rest), prod(sizes[axis - 1] for axis in axes))
    pooled = call.emit(ops.AdaptiveMaxPool1d((1,)), flat)
    kept = [1 if axis in axes else sizes[axis - 1] for axis in range(1, rank)] if keep else rest
    return call.reshape(pooled, *kept)
