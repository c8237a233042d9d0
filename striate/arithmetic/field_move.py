"""Receptive fields through words that move, mix or keep values: reshapes, means, dense layers, joins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from striate.arithmetic.field import Axis, Field, Step, absorb, plain, relayout, runs_along_image, widen
from striate.arithmetic.field_join import look_along, read_all
from striate.arithmetic.field_rule import rule
from striate.graph import Shape
from striate.ops import (
    RBF,
    Absolute,
    Activation,
    BatchNorm,
    ChannelShuffle,
    Concat,
    Dropout,
    Elementwise,
    Exponential,
    FakeQuantize,
    Flatten,
    GlobalResponseNorm,
    Identity,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    Logarithm,
    LogSoftmax,
    Mean,
    Negate,
    Permute,
    Reshape,
    Scale,
    Slice,
    Softmax,
    SquareRoot,
    Sum,
)


@rule.register(Activation)
@rule.register(Elementwise)
@rule.register(Identity)
@rule.register(Dropout)
@rule.register(BatchNorm)
@rule.register(Scale)
@rule.register(FakeQuantize)
@rule.register(Negate)
@rule.register(Absolute)
@rule.register(SquareRoot)
@rule.register(Exponential)
@rule.register(Logarithm)
def _keep(op: Activation, field: Field, x: Shape, y: Shape) -> Field:
    return field


@rule.register(Softmax)
@rule.register(LogSoftmax)
@rule.register(LayerNorm)
def _along_an_axis(op: Softmax | LogSoftmax | LayerNorm, field: Field, x: Shape, y: Shape) -> Field:
    return look_along(field, [op.dim % len(x)])


@rule.register
def _along_channels(op: LocalResponseNorm, field: Field, x: Shape, y: Shape) -> Field:
    return look_along(field, [1])


@rule.register
def _along_space(op: GlobalResponseNorm, field: Field, x: Shape, y: Shape) -> Field:
    return look_along(field, range(1, len(x)))


@rule.register(Linear)
@rule.register(RBF)
def _dense(op: Linear | RBF, field: Field, x: Shape, y: Shape) -> Field:
    return read_all(field, [len(x) - 1])


@rule.register(Mean)
@rule.register(Sum)
def _reduce(op: Mean | Sum, field: Field, x: Shape, y: Shape) -> Field:
    axes = {dim % len(x) for dim in op.dim} or set(range(len(x)))
    read = read_all(field, axes)
    if op.keepdim:
        return read
    return replace(read, layout=tuple(steps for axis, steps in enumerate(read.layout) if axis not in axes))


@rule.register
def _concat(op: Concat, field: Field, x: Shape, y: Shape) -> Field:
    """The fields are joined; along the axis of the concatenation itself there is no common jump."""
    axis = op.dim % len(y)
    if not runs_along_image(field.layout[axis]):
        return field
    return replace(absorb(field, [axis]), exact=False)


@rule.register
def _permute(op: Permute, field: Field, x: Shape, y: Shape) -> Field:
    return replace(field, layout=tuple(field.layout[dim] for dim in op.dims))


@rule.register
def _slice(op: Slice, field: Field, x: Shape, y: Shape) -> Field:
    axis = op.dim % len(x)
    steps = field.layout[axis]
    if x == y or not runs_along_image(steps):
        return field
    if len(steps) > 1:
        return replace(absorb(field, [axis]), exact=False)
    (step,) = steps
    start, _, stride = slice(op.start, op.end, op.step).indices(step.count)
    moved = widen(field, step.image_axis or 0, Fraction(0), start * step.jump)
    return relayout(moved, axis, (Step(int(y[axis]), step.image_axis, step.jump * stride),))


@rule.register
def _shuffle(op: ChannelShuffle, field: Field, x: Shape, y: Shape) -> Field:
    return look_along(field, [1]) if runs_along_image(field.layout[1]) else field


@rule.register(Flatten)
@rule.register(Reshape)
def _reshape(op: Flatten | Reshape, field: Field, x: Shape, y: Shape) -> Field:
    """The steps of all axes in order are dealt out to the new axes, split where a size asks for it."""
    known = [size if isinstance(size, int) else 1 for size in y]
    steps = [step for axis in field.layout for step in axis if step.count > 1]
    layout = deal(steps, known)
    if layout is None:  # sizes that cut across pixels: bounded by all that the tensor sees
        return replace(absorb(field, range(len(x))), layout=tuple(map(plain, y)), exact=False)
    return replace(field, layout=layout)


def deal(steps: Sequence[Step], sizes: Sequence[int]) -> tuple[Axis, ...] | None:
    """Steps (slowest first) dealt to axes of these sizes; None where a size cuts across a step."""
    left, axes = list(steps), []
    for size in sizes:
        taken: list[Step] = []
        need = size
        while need > 1:
            if not left:
                return None
            step = left.pop(0)
            if need % step.count and step.count % need:
                return None
            if step.count > need:
                inner = step.count // need
                left.insert(0, replace(step, count=inner))
                step = replace(step, count=need, jump=step.jump * inner)
            taken.append(step)
            need //= step.count
        axes.append(tuple(taken))
    return tuple(axes)
