"""Readers of arithmetic between tensors, and of concatenation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from striate import ops
from striate.onnx.call import Call
from striate.onnx.registry import reads
from striate.onnx.value import Fixed, Value, shortest


def operand(call: Call, value: Value, rank: int) -> Value:
    """A constant of one entry as a number without axes, where that changes no shape of rank ``rank``."""
    if isinstance(value, Fixed) and value.array.size == 1 and value.array.ndim <= rank:
        array = value.array.reshape(())
        if array.dtype == np.float32:
            array = np.array(shortest(array.item()), np.float64)
        return replace(value, array=array)
    return value


def joined(call: Call, word: type[ops.Elementwise], first: Value, second: Value) -> str:
    ranks = [len(call.shape_of(value)) for value in (first, second) if isinstance(value, str)]
    most = max(ranks, default=0)
    pair = [call.as_value(operand(call, value, most)) for value in (first, second)]
    return call.emit(word(), *pair)


@reads("Add", 7, 13, 14)
def add(call: Call) -> str:
    return joined(call, ops.Add, call.any(0), call.any(1))


@reads("Sub", 7, 13, 14)
def subtract(call: Call) -> str:
    """Less a constant for each channel is plus its negative: what a batch norm taken apart begins with."""
    first, second = call.any(0), call.any(1)
    if isinstance(second, Fixed) and second.array.size > 1:
        return joined(call, ops.Add, first, replace(second, array=-call.as_weight(second).array))
    return joined(call, ops.Subtract, first, second)


@reads("Mul", 7, 13, 14)
def multiply(call: Call) -> str:
    return joined(call, ops.Multiply, call.any(0), call.any(1))


@reads("Div", 7, 13, 14)
def divide(call: Call) -> str:
    return joined(call, ops.Divide, call.any(0), call.any(1))


@reads("Pow", 7, 12, 13, 15)
def power(call: Call) -> str:
    return joined(call, ops.Power, call.any(0), call.any(1))


@reads("Reciprocal", 6, 13)
def reciprocal(call: Call) -> str:
    return call.emit(ops.Divide(), call.number(1.0), call.value())


def _several(call: Call, word: type[ops.Elementwise]) -> str:
    """One after the other; a single input is the result."""
    result = call.any(0)
    for index in range(1, len(call.inputs)):
        result = joined(call, word, result, call.any(index))
    return call.as_value(result)


@reads("Sum", 8, 13)
def total(call: Call) -> str:
    return _several(call, ops.Add)


@reads("Mean", 8, 13)
def mean(call: Call) -> str:
    return call.emit(ops.Divide(), _several(call, ops.Add), call.number(float(len(call.inputs))))


@reads("Max", 8, 12, 13)
def maximum(call: Call) -> str:
    return _several(call, ops.Maximum)


@reads("Min", 8, 12, 13)
def minimum(call: Call) -> str:
    return _several(call, ops.Minimum)


@reads("Concat", 11, 13)
def concatenate(call: Call) -> str:
    axis = call.axis(
        call.integer("axis") if call.integer("axis") is not None else call.required("axis"), call.rank()
    )
    values = [call.value(index) for index in range(len(call.inputs))]
    return values[0] if len(values) == 1 else call.emit(ops.Concat(axis), *values)
