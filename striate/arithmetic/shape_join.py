"""Shapes of everything else: layers made for a number of channels, words that keep the shape, and joins."""

from __future__ import annotations

from striate.arithmetic.derivation import Derivation, Derived, show
from striate.arithmetic.shape import axis_of, misfit, need_rank, need_size, number, rule
from striate.graph import Shape
from striate.ops import (
    RBF,
    Absolute,
    Activation,
    BatchNorm,
    Concat,
    Constant,
    Dropout,
    Elementwise,
    Exponential,
    FakeQuantize,
    GlobalResponseNorm,
    Identity,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    Logarithm,
    LogSoftmax,
    Negate,
    PReLU,
    Scale,
    Softmax,
    SquareRoot,
)


@rule.register(Linear)
@rule.register(RBF)
def _dense(op: Linear | RBF, x: Shape) -> Derived:
    need_rank(x, 1)
    need_size(x, len(x) - 1, op.in_features, "in_features")
    return Derived(((*x[:-1], op.out_features),))


@rule.register
def _batch_norm(op: BatchNorm, x: Shape) -> Derived:
    need_rank(x, 2)
    need_size(x, 1, op.num_features, "num_features")
    return Derived((x,))


@rule.register(LayerNorm)
@rule.register(GlobalResponseNorm)
@rule.register(Scale)
def _per_channel(op: LayerNorm | GlobalResponseNorm | Scale, x: Shape) -> Derived:
    if isinstance(op, GlobalResponseNorm):
        need_rank(x, 3)  # it needs positions to take the norm over
    need_size(x, axis_of(op.dim, x), op.num_channels, "num_channels")
    return Derived((x,))


@rule.register
def _fake_quantize(op: FakeQuantize, x: Shape) -> Derived:
    if op.num_channels > 1:
        need_size(x, axis_of(op.dim, x), op.num_channels, "num_channels")
    return Derived((x,))


@rule.register
def _local_response_norm(op: LocalResponseNorm, x: Shape) -> Derived:
    need_rank(x, 3)
    return Derived((x,))


@rule.register
def _prelu(op: PReLU, x: Shape) -> Derived:
    if op.num_parameters > 1:
        need_rank(x, 2)
        need_size(x, 1, op.num_parameters, "num_parameters")
    return Derived((x,))


@rule.register(Softmax)
@rule.register(LogSoftmax)
def _softmax(op: Softmax | LogSoftmax, x: Shape) -> Derived:
    axis_of(op.dim, x)
    return Derived((x,))


@rule.register(Activation)
@rule.register(Identity)
@rule.register(Dropout)
@rule.register(Negate)
@rule.register(Absolute)
@rule.register(SquareRoot)
@rule.register(Exponential)
@rule.register(Logarithm)
def _unchanged(op: Activation, x: Shape) -> Derived:
    return Derived((x,))


@rule.register
def _constant(op: Constant) -> Derived:
    return Derived((op.shape,))


@rule.register
def _elementwise(op: Elementwise, x: Shape, y: Shape) -> Derived:
    rank = max(len(x), len(y))
    wide = [(1,) * (rank - len(shape)) + shape for shape in (x, y)]
    for a, b in zip(*wide, strict=True):
        if a != b and 1 not in (a, b):
            must = f"have equal sizes or 1 on every axis, counted from the last: {a} meets {b}"
            raise misfit("inputs", must, f"{show(x)} and {show(y)}", "make the two branches equally large")
    return Derived((tuple(b if a == 1 else a for a, b in zip(*wide, strict=True)),))


@rule.register
def _concat(op: Concat, *inputs: Shape) -> Derived:
    first = inputs[0]
    axis = axis_of(op.dim, first)
    for shape in inputs[1:]:
        same = len(shape) == len(first) and all(
            a == b for i, (a, b) in enumerate(zip(first, shape, strict=True)) if i != axis
        )
        if not same:
            must = f"agree on every axis but {axis}"
            raise misfit("inputs", must, " and ".join(map(show, inputs)), "make the branches equally large")
    if len(inputs) == 1:
        return Derived((first,))
    sizes = [number(shape[axis], f"axis {axis}") for shape in inputs]
    name = "channels" if axis == 1 else f"size of axis {axis}"
    total = Derivation(name, "sum over the inputs", " + ".join(map(str, sizes)), sum(sizes))
    return Derived(((*first[:axis], sum(sizes), *first[axis + 1 :]),), (total,))
