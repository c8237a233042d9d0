"""Operators on constants, computed while the file is read: sizes, and weights that were taken apart."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto

from striate.onnx.batch import Image, depends
from striate.onnx.call import Call
from striate.onnx.registry import folds
from striate.onnx.tensor import numpy_type, type_name
from striate.onnx.value import Fixed, Value

Array = NDArray[Any]


def arrays(call: Call) -> list[Array]:
    return [call.fixed(index, "input").array for index in range(len(call.inputs))]


# --- constants --------------------------------------------------------------------------------------------

_VALUES = {
    "value_float": (AttributeProto.FLOAT, np.float32),
    "value_floats": (AttributeProto.FLOATS, np.float32),
    "value_int": (AttributeProto.INT, np.int64),
    "value_ints": (AttributeProto.INTS, np.int64),
}


@folds("Constant", 1, 9, 11, 12, 13, 19, 21, 23, 24, 25)
def constant(call: Call) -> Fixed:
    found = [call.tensor("value")]
    for name, (kind, dtype) in _VALUES.items():
        value = call.attribute(name, kind)
        found.append(None if value is None else np.array(value, dtype))
    given = [array for array in found if array is not None]
    if len(given) != 1:
        call.refuse("it must have one value, of numbers")
    return call.result(given[0])


@folds("ConstantOfShape", 9, 20, 21, 23, 24, 25)
def constant_of_shape(call: Call) -> Fixed:
    value = call.tensor("value")
    sizes = call.wholes(0, "shape")
    if min(sizes, default=0) < 0:
        call.refuse(f"its shape must have no negative sizes, got {sizes}")
    call.room_for(prod(sizes))
    return call.result(np.full(sizes, np.float32(0) if value is None else value.reshape(())))


@folds("Range", 11, 27)
def range_(call: Call) -> Fixed:
    call.only("stash_type", 1)
    bounds = [call.fixed(index, "bound").array.reshape(()) for index in range(3)]
    if depends(bounds[1]) and bounds[1].item().count == 1 and (bounds[0].item(), bounds[2].item()) == (0, 1):
        numbers = np.empty(1, object)
        numbers[0] = Image()
        return call.result(numbers)
    start, limit, step = (call.array(index, "bound").reshape(()) for index in range(3))
    call.room_for(max(0, int(np.ceil((float(limit) - float(start)) / float(step)))))
    return call.result(np.arange(start.item(), limit.item(), step.item(), dtype=start.dtype))


@folds("Cast", 9, 13, 19, 21, 23, 24, 25, 28)
def cast(call: Call) -> Fixed:
    call.integer("saturate", 1)
    call.text("round_mode", "up")
    target = call.integer("to", 0)
    dtype, array = numpy_type(target), call.fixed(0, "input").array
    if dtype is None:
        call.refuse(f"it converts constants to {type_name(target)}, which has no arithmetic here")
    if depends(array):
        return call.result(array)  # a size stays a size
    return Fixed(call.node.output[0], array.astype(dtype))


@folds("CastLike", 15, 19, 21, 23, 24, 25)
def cast_like(call: Call) -> Fixed:
    call.integer("saturate", 1)
    call.text("round_mode", "up")
    array, like = arrays(call)
    return call.result(array if depends(array) else array.astype(like.dtype))


@folds("Identity", 1, 13, 14, 16, 19, 21, 23, 24, 25)
def identity(call: Call) -> Value:
    return call.any(0)


# --- arithmetic -------------------------------------------------------------------------------------------


def _quotient(a: Array, b: Array) -> Array:
    """Integers are divided towards zero."""
    if a.dtype.kind == "f" or b.dtype.kind == "f":
        return np.asarray(a / b)
    if depends(a) or depends(b):
        return np.asarray(a // b)
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype)


def _clip(x: Array, low: Array | None = None, high: Array | None = None) -> Array:
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


_ELEMENTWISE: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "Add": (np.add, (7, 13, 14)),
    "Sub": (np.subtract, (7, 13, 14)),
    "Mul": (np.multiply, (7, 13, 14)),
    "Div": (_quotient, (7, 13, 14)),
    "Pow": (lambda a, b: np.power(a, b).astype(a.dtype), (7, 12, 13, 15)),
    "Equal": (np.equal, (7, 11, 13, 19)),
    "Less": (np.less, (9, 13)),
    "Greater": (np.greater, (9, 13)),
    "LessOrEqual": (np.less_equal, (12, 16)),
    "GreaterOrEqual": (np.greater_equal, (12, 16)),
    "And": (np.logical_and, (7,)),
    "Or": (np.logical_or, (7,)),
    "Not": (np.logical_not, (1,)),
    "Where": (np.where, (9, 16)),
    "Neg": (np.negative, (6, 13)),
    "Abs": (np.abs, (6, 13)),
    "Sqrt": (np.sqrt, (6, 13)),
    "Exp": (np.exp, (6, 13)),
    "Log": (np.log, (6, 13)),
    "Reciprocal": (lambda a: (1 / a).astype(a.dtype), (6, 13)),
    "Floor": (np.floor, (6, 13)),
    "Ceil": (np.ceil, (6, 13)),
    "Round": (np.round, (11, 22)),
    "Relu": (lambda a: np.maximum(a, 0), (6, 13, 14)),
    "Clip": (_clip, (11, 12, 13)),
}
_ACCUMULATED: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "Min": (np.minimum, (8, 12, 13)),
    "Max": (np.maximum, (8, 12, 13)),
    "Sum": (np.add, (8, 13)),
}


def _elementwise(call: Call) -> Fixed:
    values = [None if value is None else call.fixed(i, "input").array for i, value in enumerate(call.inputs)]
    call.room_for(prod(np.broadcast_shapes(*(value.shape for value in values if value is not None))))
    return call.result(_ELEMENTWISE[call.node.op_type][0](*values))


def _accumulated(call: Call) -> Fixed:
    values = arrays(call)
    call.room_for(prod(np.broadcast_shapes(*(value.shape for value in values))))
    return call.result(reduce(_ACCUMULATED[call.node.op_type][0], values))


for _operator, (_, _versions) in _ELEMENTWISE.items():
    folds(_operator, *_versions)(_elementwise)
for _operator, (_, _versions) in _ACCUMULATED.items():
    folds(_operator, *_versions)(_accumulated)


@folds("Mod", 10, 13)
def modulo(call: Call) -> Fixed:
    a, b = arrays(call)
    call.room_for(prod(np.broadcast_shapes(a.shape, b.shape)))
    return call.result((np.fmod if call.integer("fmod", 0) else np.mod)(a, b))


_REDUCTIONS: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "ReduceProd": (np.prod, (11, 13, 18)),
    "ReduceSum": (np.sum, (11, 13)),
    "ReduceMin": (np.min, (11, 12, 13, 18, 20)),
    "ReduceMax": (np.max, (11, 12, 13, 18, 20)),
    "ReduceMean": (np.mean, (11, 13, 18)),
}


def _reduced(call: Call) -> Fixed:
    array = call.fixed(0, "input").array
    axes = call.axes("axes", 1, array.ndim)
    keep, nothing = bool(call.integer("keepdims", 1)), call.integer("noop_with_empty_axes", 0)
    if not axes and nothing:
        return call.result(array)
    function = _REDUCTIONS[call.node.op_type][0]
    found = function(array, axis=tuple(axes) if axes else None, keepdims=keep)
    return call.result(np.asarray(found, None if depends(array) else array.dtype))


for _operator, (_, _versions) in _REDUCTIONS.items():
    folds(_operator, *_versions)(_reduced)
