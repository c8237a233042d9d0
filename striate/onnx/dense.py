"""Readers of matrix products with a constant: linear maps."""

from __future__ import annotations

import numpy as np

from striate import ops
from striate.onnx.call import Call
from striate.onnx.registry import reads
from striate.onnx.value import Fixed


def _linear(call: Call, x: str, weight: Fixed, bias: Fixed | None) -> str:
    """``weight`` as (out, in)."""
    outputs, inputs = weight.array.shape
    op = ops.Linear(inputs, outputs, bias=bias is not None)
    return call.emit(op, x, weight=weight, bias=bias)


@reads("Gemm", 11, 13)
def general_product(call: Call) -> str:
    """alpha * A B + beta * C with a constant B; the factors go into the weights."""
    alpha, beta = call.real("alpha", 1.0), call.real("beta", 1.0)
    call.only("transA", 0)
    flipped = call.integer("transB", 0)
    weight = call.fixed(1, "B")
    if weight.array.ndim != 2 or call.rank() != 2:
        call.refuse(f"its factors must have 2 axes, got {call.shape()} and {weight.array.shape}")
    matrix = weight.array if flipped else weight.array.T
    scaled = Fixed(weight.name, matrix if alpha == 1 else alpha * matrix)
    if not call.given(2):
        return _linear(call, call.value(), scaled, None)
    added, outputs = call.any(2), matrix.shape[0]
    if isinstance(added, Fixed) and added.array.shape in ((), (1,), (1, 1), (outputs,), (1, outputs)):
        vector = np.broadcast_to(added.array.reshape(-1), (outputs,))
        bias = Fixed(added.name, vector if beta == 1 else beta * vector)
        return _linear(call, call.value(), scaled, bias)
    product = _linear(call, call.value(), scaled, None)
    other = call.as_value(added)
    if beta != 1:
        other = call.emit(ops.Multiply(), other, call.number(beta))
    return call.emit(ops.Add(), product, other)


@reads("MatMul", 9, 13)
def product(call: Call) -> str:
    """x W with a constant matrix W, or W x, which is the transposed of x^T W^T."""
    left, right = call.any(0), call.any(1)
    if isinstance(right, Fixed) and isinstance(left, str) and right.array.ndim == 2:
        return _linear(call, left, Fixed(right.name, right.array.T), None)
    if isinstance(left, Fixed) and isinstance(right, str) and left.array.ndim == 2 and call.rank(1) > 2:
        rank = call.rank(1)
        swap = ops.Permute((*range(rank - 2), rank - 1, rank - 2))
        return call.emit(swap, _linear(call, call.emit(swap, right), left, None))
    call.refuse("one factor must be a constant matrix; products of two images' values have no word")
