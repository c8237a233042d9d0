"""Readers of arithmetic between tensors and numbers, and of concatenation."""

from __future__ import annotations

from striate import ops
from striate.capture.call import Call
from striate.capture.registry import reads

JOINS: dict[str, type[ops.Elementwise]] = {
    "aten.mul.Tensor": ops.Multiply,
    "aten.mul.Scalar": ops.Multiply,
    "aten.div.Tensor": ops.Divide,
    "aten.div.Scalar": ops.Divide,
    "aten.pow.Tensor_Scalar": ops.Power,
    "aten.pow.Tensor_Tensor": ops.Power,
    "aten.pow.Scalar": ops.Power,
    "aten.maximum.default": ops.Maximum,
    "aten.minimum.default": ops.Minimum,
    "aten.max.other": ops.Maximum,
    "aten.min.other": ops.Minimum,
}
SUMS: dict[str, type[ops.Elementwise]] = {
    "aten.add.Tensor": ops.Add,
    "aten.add.Scalar": ops.Add,
    "aten.sub.Tensor": ops.Subtract,
    "aten.sub.Scalar": ops.Subtract,
}


@reads(*JOINS)
def join(call: Call) -> str:
    word = JOINS[_functional(call)]
    second = "exponent" if word is ops.Power else "other"
    return call.emit(word(), call.value("self"), call.value(second))


@reads(*SUMS)
def weighted_sum(call: Call) -> str:
    """x + alpha * y; torch's alpha is 1 nearly always."""
    word = SUMS[_functional(call)]
    first, other = call.value("self"), call.value("other")
    return call.emit(word(), first, _times(call, other, "other"))


@reads("aten.rsub.Scalar", "aten.rsub.Tensor")
def reversed_difference(call: Call) -> str:
    """alpha-times the first subtracted from the second: what 1 - x becomes."""
    first, other = call.value("self"), call.value("other")
    return call.emit(ops.Subtract(), other, _times(call, first, "self"))


def _times(call: Call, value: str, name: str) -> str:
    if call["alpha"] == 1:
        return value
    factor = call.as_value(call["alpha"])
    return call.emit(ops.Multiply(), value, factor, shape=call.sketch.shapes[value])


def _functional(call: Call) -> str:
    return call.operation.replace("_.", ".")


@reads("aten.addcmul.default")
def product_added(call: Call) -> str:
    """x + value * y * z."""
    if call["value"] != 1:
        call.refuse(f"only addcmul with value=1 has words, got {call['value']}")
    product = call.emit(ops.Multiply(), call.value("tensor2"), call.value("tensor1"))
    return call.emit(ops.Add(), product, call.value("self"))


@reads("aten.square.default")
def square(call: Call) -> str:
    return call.emit(ops.Power(), call.value("self"), call.as_value(2.0))


@reads("aten.reciprocal.default")
def reciprocal(call: Call) -> str:
    return call.emit(ops.Divide(), call.as_value(1.0), call.value("self"))


@reads("aten.rsqrt.default")
def reciprocal_root(call: Call) -> str:
    root = call.emit(ops.SquareRoot(), call.value("self"))
    return call.emit(ops.Divide(), call.as_value(1.0), root)


@reads("aten.linalg_vector_norm.default")
def euclidean_norm(call: Call) -> str:
    """The root of the sum of squares over some axes."""
    if call["ord"] != 2 or call["dtype"] is not None:
        call.refuse("only the Euclidean norm (ord=2) can be written in words")
    shape = call.shape("self")
    squared = call.emit(ops.Power(), call.value("self"), call.as_value(2.0), shape=shape)
    total = call.emit(ops.Sum(call.axes("dim", len(shape)), bool(call["keepdim"])), squared)
    return call.emit(ops.SquareRoot(), total)


@reads("aten.cat.default", "aten.concat.default", "aten.concatenate.default")
def concatenate(call: Call) -> str:
    values = [call.as_value(value) for value in call["tensors"]]
    return call.emit(ops.Concat(call.axis("dim", len(call.shape_out))), *values)


@reads("aten.stack.default")
def stack(call: Call) -> str:
    """Each tensor gets an axis of size 1, along which they are concatenated."""
    axis = call.axis("dim", len(call.shape_out))
    if axis == 0:
        call.refuse("it stacks along the batch axis")
    shape = (*call.shape_out[:axis], 1, *call.shape_out[axis + 1 :])
    values = [
        call.emit(ops.Reshape(call.rest(shape)), call.as_value(value), shape=shape)
        for value in call["tensors"]
    ]
    return call.emit(ops.Concat(axis), *values)


@reads("aten.repeat.default", "aten.tile.default")
def repeat(call: Call) -> str:
    """Copies one after the other, an axis at a time."""
    value = call.value("self")
    shape = call.shape("self")
    counts = call["repeats"] if "repeat" in call.operation else call["dims"]
    if len(counts) != len(shape) or counts[0] != 1 or not all(isinstance(count, int) for count in counts):
        call.refuse("only copies along the axes after the batch can be written in words")
    for axis, count in enumerate(counts):
        if count != 1:
            shape = (*shape[:axis], call.shape_out[axis], *shape[axis + 1 :])
            value = call.emit(ops.Concat(axis), *[value] * count, shape=shape)
    return value
