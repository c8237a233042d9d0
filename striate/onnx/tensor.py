"""A tensor of an ONNX file as an array. What it claims to hold is checked before memory is asked for."""

from __future__ import annotations

from math import prod
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from striate.errors import GraphError, UnsupportedError
from striate.onnx.limits import MOST_TENSOR_BYTES

BITS: dict[int, int] = {  # of one value
    TensorProto.FLOAT: 32,
    TensorProto.DOUBLE: 64,
    TensorProto.FLOAT16: 16,
    TensorProto.BFLOAT16: 16,
    TensorProto.INT8: 8,
    TensorProto.INT16: 16,
    TensorProto.INT32: 32,
    TensorProto.INT64: 64,
    TensorProto.UINT8: 8,
    TensorProto.UINT16: 16,
    TensorProto.UINT32: 32,
    TensorProto.UINT64: 64,
    TensorProto.BOOL: 8,
    TensorProto.INT4: 4,
    TensorProto.UINT4: 4,
}
FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
COMPUTED = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)  # of values that depend on the image
FIELDS = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")


def type_name(data_type: int) -> str:
    """ "float16" for 10; the number itself where ONNX has no such type."""
    known = data_type in TensorProto.DataType.values()
    return str(TensorProto.DataType.Name(data_type)).lower() if known else f"type {data_type}"


def array_of(tensor: TensorProto, file: Path) -> NDArray[Any]:
    """The values; half precision is widened to single, integers keep their type.

    Raises GraphError where the tensor contradicts itself or its external file, UnsupportedError for a type
    without arithmetic here.
    """
    what = f"{file}: tensor {tensor.name!r}"
    bits = BITS.get(tensor.data_type)
    if bits is None:
        raise UnsupportedError(
            f"{what} must hold floats or integers, got {type_name(tensor.data_type)}: export in float32."
        )
    shape = tuple(tensor.dims)
    count = prod(shape)
    if min(shape, default=0) < 0 or tensor.HasField("segment"):
        raise GraphError(
            f"{what} must have sizes of at least 0 and one segment, got {shape}: export it again."
        )
    if count * bits > 8 * MOST_TENSOR_BYTES:
        raise GraphError(
            f"{what} must hold at most {MOST_TENSOR_BYTES} bytes, got shape {shape}: split the layer."
        )
    size = -(-count * bits // 8)
    if tensor.data_location == TensorProto.EXTERNAL:
        inner = TensorProto(data_type=tensor.data_type, dims=shape)
        inner.raw_data = _external(tensor, size, file, what)
        tensor = inner
    elif tensor.HasField("raw_data"):
        _need(len(tensor.raw_data), size, "bytes", what)
    else:
        held = sum(len(getattr(tensor, field)) for field in FIELDS)
        _need(held, -(-count * bits // 8) if bits < 8 else count, "entries", what)
    try:
        array: NDArray[Any] = np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError) as error:
        raise GraphError(f"{what} cannot be read ({error}): export the network again.") from None
    half = tensor.data_type in FLOATS and bits < 32
    return (array.astype(np.float32) if half else array).reshape(shape)


def numpy_type(data_type: int) -> np.dtype[Any] | None:
    """What an ONNX type becomes here; None: it is refused."""
    if data_type not in BITS:
        return None
    if data_type in FLOATS:
        return np.dtype(np.float64 if data_type == TensorProto.DOUBLE else np.float32)
    return np.dtype(helper.tensor_dtype_to_np_dtype(data_type))


def _need(held: int, wanted: int, unit: str, what: str) -> None:
    if held != wanted:
        raise GraphError(
            f"{what} must hold {wanted} {unit}, got {held}: the file is damaged, export it again."
        )


# --- tensors in files of their own ------------------------------------------------------------------------


def _external(tensor: TensorProto, size: int, file: Path, what: str) -> bytes:
    """The bytes of a tensor outside the file. Only files in the model's own folder are read."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    path = _inside(location, file, what)
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", size))
    except ValueError:
        raise GraphError(f"{what}: offset and length must be numbers: export the network again.") from None
    _need(length, size, "bytes", what)
    try:
        held = path.stat().st_size
        if offset < 0 or offset + size > held:
            raise GraphError(
                f"{what} must lie inside {location}, which has {held} bytes, got {size} bytes from {offset} "
                f"on: "
                "copy the whole file."
            )
        with path.open("rb") as source:
            source.seek(offset)
            content = source.read(size)
    except OSError as error:
        reason = error.strerror or error
        raise GraphError(f"{what}: {location} cannot be read ({reason}): put it beside the model.") from None
    _need(len(content), size, "bytes", what)
    return content


def _inside(location: str, file: Path, what: str) -> Path:
    """The file ``location`` in the folder of the model, links followed; anything outside is refused."""
    parts = (*PurePosixPath(location).parts, *PureWindowsPath(location).parts)
    relative = not PurePosixPath(location).is_absolute() and not PureWindowsPath(location).anchor
    if not location or not relative or ".." in parts or "\0" in location:
        raise GraphError(
            f"{what}: external data must lie in the folder of the model, got {location!r}: name a file there."
        )
    home = file.parent.resolve()
    path = (home / location).resolve()
    if not path.is_relative_to(home):
        raise GraphError(
            f"{what}: external data must lie in the folder of the model, {location!r} leads out of it: "
            "put the file itself there."
        )
    if not path.is_file():
        raise GraphError(
            f"{what}: external data must be a file, {location!r} is none: put it beside the model."
        )
    return path
