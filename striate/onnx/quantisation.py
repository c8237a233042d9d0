"""Readers of QuantizeLinear and DequantizeLinear (QDQ): the integers of a quantised network, run in float.

On constants they are computed at once. On what depends on the image, the pair is the word FakeQuantize: the
value is rounded to the grid of the integers and stays a float. Integers that anything else computes with are
refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from striate import ops
from striate.onnx.call import Call
from striate.onnx.registry import folds, reads
from striate.onnx.value import Fixed, Quantised

VERSIONS = (10, 13, 19, 21, 23, 24, 25, 28)
RANGES = {
    TensorProto.INT8: (-128, 127),
    TensorProto.UINT8: (0, 255),
    TensorProto.INT16: (-(2**15), 2**15 - 1),
    TensorProto.UINT16: (0, 2**16 - 1),
    TensorProto.INT4: (-8, 7),
    TensorProto.UINT4: (0, 15),
}
_TYPES = {np.dtype(helper.tensor_dtype_to_np_dtype(kind)): kind for kind in RANGES}


def _parameters(call: Call) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Scale and zero point, and the axis along which they are laid."""
    rank, axis = call.rank(), call.integer("axis", 1)
    call.only("block_size", 0)
    scale = call.array(1, "scale")
    zero_point = call.array(2, "zero point") if call.given(2) else np.zeros(scale.shape, np.uint8)
    if (
        max(scale.ndim, zero_point.ndim) > 1
        or scale.size != zero_point.size
        or not (scale > 0).all()
        or not np.isfinite(scale).all()
    ):
        call.refuse(
            "its scale must be positive, one number or one for each channel, with as many zero points"
        )
    axis = call.axis(axis, rank) if scale.size > 1 else 0
    if scale.size > 1 and call.shape()[axis] != scale.size:
        call.refuse(f"its scale must have {call.shape()[axis]} entries, got {scale.size}")
    return scale.reshape(-1), zero_point.reshape(-1), axis


def _range(call: Call) -> tuple[int, int]:
    """The integers that the result may be."""
    stated = call.integer("output_dtype", 0)
    given = call.array(2, "zero point").dtype if call.given(2) else np.dtype(np.uint8)
    kind = stated or _TYPES.get(given, 0)
    if kind not in RANGES:
        call.refuse(f"it must quantise to integers of 4, 8 or 16 bits, got {given}")
    return RANGES[kind]


@reads("QuantizeLinear", *VERSIONS)
def quantise(call: Call) -> Quantised:
    call.integer("saturate", 1)
    call.only("precision", 0, int(TensorProto.FLOAT))
    scale, zero_point, axis = _parameters(call)
    low, high = _range(call)
    if scale.size > 1 and axis == 0:
        call.refuse("it mixes the images of a batch: its axis is 0")
    op = ops.FakeQuantize(low, high, num_channels=scale.size, dim=axis if scale.size > 1 else 1)
    points = Fixed(None, zero_point.astype(np.float32))
    name = getattr(call.any(1), "name", None)
    value = call.emit(op, call.value(), scale=Fixed(name, scale), zero_point=points)
    return Quantised(value, scale, zero_point, axis)


@reads("DequantizeLinear", *VERSIONS)
def dequantise(call: Call) -> str:
    call.integer("output_dtype", 0)
    given = call.any(0)
    if not isinstance(given, Quantised):
        call.refuse("it must follow a QuantizeLinear")
    scale, zero_point, axis = _parameters(call)
    same = np.array_equal(scale, given.scale) and np.array_equal(zero_point, given.zero_point)
    if not same or axis != given.dim:
        call.refuse("its scale and zero point must be those of the QuantizeLinear before it")
    return given.value


@folds("DequantizeLinear", *VERSIONS)
def dequantised(call: Call) -> Fixed:
    call.integer("output_dtype", 0)
    array = call.array(0, "input")
    scale, zero_point, axis = _parameters(call)
    laid = tuple(-1 if i == axis and scale.size > 1 else 1 for i in range(array.ndim))
    whole = array.astype(np.int64) - zero_point.astype(np.int64).reshape(laid)
    return call.result(whole.astype(scale.dtype) * scale.reshape(laid))


@folds("QuantizeLinear", *VERSIONS)
def quantised(call: Call) -> Fixed:
    """Divided by the scale, rounded to the nearest integer (halves to the even one), moved and cut off."""
    call.integer("saturate", 1)
    call.only("precision", 0, int(TensorProto.FLOAT))
    array = call.array(0, "input")
    scale, zero_point, axis = _parameters(call)
    low, high = _range(call)
    laid = tuple(-1 if i == axis and scale.size > 1 else 1 for i in range(array.ndim))
    whole = np.round(array / scale.reshape(laid)) + zero_point.astype(np.float64).reshape(laid)
    return call.result(np.clip(whole, low, high).astype(zero_point.dtype if call.given(2) else np.uint8))
