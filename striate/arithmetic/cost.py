"""What a word costs to run: multiply-adds, and the other numbers that people mean by "FLOPs", kept apart.

Counters of different tools disagree because they count different things under one name. Here each thing has
its own number, and ``CONVENTION`` is printed with every total.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import singledispatch

from striate.arithmetic.derivation import Derivation, product
from striate.arithmetic.shape import output_shapes
from striate.graph import Shape
from striate.ops import (
    RBF,
    AdaptivePool,
    AvgPool,
    ChannelShuffle,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    Dropout,
    ExtremePool,
    Flatten,
    Identity,
    Linear,
    LocalResponseNorm,
    MaxUnpool,
    Mean,
    Op,
    Pad,
    Permute,
    Reshape,
    Slice,
    Sum,
)

CONVENTION = (
    "multiply-adds of convolution and linear layers for one image; "
    "bias, normalisation, activation and pooling are not in it; FLOPs are twice as many"
)
OTHER_CONVENTION = (
    "other operations: one for each tap of a pooling window, each value of a mean or a sum, "
    "each output value of any other layer; moving values is free"
)
_FREE = (ChannelShuffle, Concat, Constant, Dropout, Flatten, Identity, Pad, Permute, Reshape, Slice)


@dataclass(frozen=True)
class Cost:
    """``activation_bytes`` is what the outputs take in memory at 4 bytes a value (float32)."""

    multiply_adds: Derivation
    bias_additions: int
    other_operations: int
    activation_bytes: int


def cost(op: Op, input_shapes: Iterable[Shape], bytes_per_value: int = 4) -> Cost:
    """The cost of one word on inputs of these shapes. A symbolic batch counts as one image.

    Raises ShapeError where the word does not fit.
    """
    inputs = [_one_image(shape) for shape in input_shapes]
    outputs = [_one_image(shape) for shape in output_shapes(op, inputs).shapes]
    values = math.prod(outputs[0])
    return Cost(
        multiply_adds=_multiply_adds(op, inputs, outputs[0]),
        bias_additions=values if isinstance(op, (Conv, ConvTranspose, Linear)) and op.bias else 0,
        other_operations=_others(op, inputs, values),
        activation_bytes=sum(math.prod(shape) for shape in outputs) * bytes_per_value,
    )


def _one_image(shape: Shape) -> tuple[int, ...]:
    return tuple(1 if isinstance(size, str) else size for size in shape)


def _multiply_adds(op: Op, inputs: list[tuple[int, ...]], output: tuple[int, ...]) -> Derivation:
    name = "multiply-adds"
    if isinstance(op, Conv):
        batch, positions = output[0], output[2:]
        kernel, groups = product(op.kernel_size), f"/{op.groups}" if op.groups > 1 else ""
        numbers = f"{product(positions)} * {kernel}*{op.in_channels}{groups} * {op.out_channels}"
        count = math.prod(positions) * math.prod(op.weight_shape)
        formula = f"output positions * kernel*C{'/groups' if groups else ''} * K"
        return _batched(Derivation(name, formula, numbers, count), batch)
    if isinstance(op, ConvTranspose):
        batch, positions = inputs[0][0], inputs[0][2:]
        kernel, groups = product(op.kernel_size), f"/{op.groups}" if op.groups > 1 else ""
        numbers = f"{product(positions)} * {kernel}*{op.in_channels} * {op.out_channels}{groups}"
        count = math.prod(positions) * math.prod(op.weight_shape)
        formula = f"input positions * kernel*C * K{'/groups' if groups else ''}"
        return _batched(Derivation(name, formula, numbers, count), batch)
    if isinstance(op, Linear):
        rows = math.prod(inputs[0][:-1])
        numbers = f"{op.in_features} * {op.out_features}"
        one = Derivation(name, "in_features * out_features", numbers, op.in_features * op.out_features)
        return _batched(one, rows)
    return Derivation(name, "0", "0", 0, "not a convolution or linear layer")


def _batched(one: Derivation, times: int) -> Derivation:
    if times == 1:
        return one
    numbers = f"{times} * {one.substitution}"
    return Derivation(one.quantity, f"rows * {one.formula}", numbers, times * one.result)


@singledispatch
def _others(op: Op, inputs: list[tuple[int, ...]], values: int) -> int:
    """Operations that are not multiply-adds: one for each output value, where nothing else is said."""
    return values


@_others.register(Conv)
@_others.register(ConvTranspose)
@_others.register(Linear)
def _dense(op: Op, inputs: list[tuple[int, ...]], values: int) -> int:
    return 0


@_others.register
def _rbf(op: RBF, inputs: list[tuple[int, ...]], values: int) -> int:
    return values * op.in_features


@_others.register(ExtremePool)
@_others.register(AvgPool)
def _pool(op: ExtremePool | AvgPool, inputs: list[tuple[int, ...]], values: int) -> int:
    return values * math.prod(op.kernel_size)


@_others.register(AdaptivePool)
@_others.register(Mean)
@_others.register(Sum)
def _every_input(op: Op, inputs: list[tuple[int, ...]], values: int) -> int:
    return max(values, math.prod(inputs[0]))


@_others.register
def _neighbours(op: LocalResponseNorm, inputs: list[tuple[int, ...]], values: int) -> int:
    return values * op.size


@_others.register
def _unpool(op: MaxUnpool, inputs: list[tuple[int, ...]], values: int) -> int:
    return 0


def _free(op: Op, inputs: list[tuple[int, ...]], values: int) -> int:
    return 0


for _word in _FREE:
    _others.register(_word, _free)
