"""Readers of linear maps, however they are written."""

from __future__ import annotations

from striate import ops
from striate.capture.call import Call, Fixed
from striate.capture.registry import reads


@reads("aten.linear.default")
def linear(call: Call) -> str:
    weight, bias = call.fixed("weight"), call.fixed("bias")
    if weight is None or len(weight.shape) != 2:
        call.refuse("its weight is not a matrix")
    return _linear(call, call.value("input"), weight, bias)


@reads("aten.matmul.default", "aten.mm.default")
def product(call: Call) -> str:
    """x @ W with a fixed matrix W: a linear map whose weight is the transpose of W."""
    right = call.fixed("other" if "matmul" in call.operation else "mat2")
    return _linear(call, call.value("self"), _transposed(call, right), None)


@reads("aten.addmm.default")
def product_and_bias(call: Call) -> str:
    if call["beta"] != 1 or call["alpha"] != 1:
        call.refuse("beta and alpha must be 1")
    return _linear(call, call.value("mat1"), _transposed(call, call.fixed("mat2")), call.fixed("self"))


def _linear(call: Call, value: str, weight: Fixed, bias: Fixed | None) -> str:
    out_features, in_features = weight.shape
    if bias is not None and bias.shape != (out_features,):
        call.refuse(f"its bias has shape {bias.shape} instead of ({out_features},)")
    return call.emit(ops.Linear(in_features, out_features, bias is not None), value, weight=weight, bias=bias)


def _transposed(call: Call, matrix: Fixed | None) -> Fixed:
    if matrix is None or len(matrix.shape) != 2:
        call.refuse("only a product with a fixed matrix on the right is a linear map")
    return Fixed(matrix.name, matrix.tensor.T)
