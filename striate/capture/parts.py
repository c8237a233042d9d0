"""Readers of slices and splits: parts of an axis."""

from __future__ import annotations

from striate import ops
from striate.capture.call import Call, Value
from striate.capture.registry import reads


def _part(call: Call, axis: int, start: int, size: int, step: int = 1) -> str:
    """``size`` entries of an axis from ``start`` on; the whole axis is the value itself."""
    shape = call.shape("self")
    length = shape[axis]
    if length == size and step == 1:
        return call.value("self")
    if not isinstance(length, int):
        call.refuse("it takes a part of the batch")
    end = start + (size - 1) * step + 1
    op = ops.Slice(axis, start, None if end + step > length else end, step)
    return call.emit(op, call.value("self"), shape=(*shape[:axis], size, *shape[axis + 1 :]))


@reads("aten.slice.Tensor", "aten.narrow.default")
def slice_(call: Call) -> str:
    shape = call.shape("self")
    axis = call.axis("dim", len(shape))
    length = shape[axis]
    if length == call.shape_out[axis]:
        return call.value("self")
    if not isinstance(length, int):
        call.refuse("it takes a part of the batch")
    start = call["start"] or 0
    start = max(0, start + length) if start < 0 else start
    step = 1 if "narrow" in call.operation else int(call["step"])
    return _part(call, axis, start, call.whole(call.shape_out[axis]), step)


@reads("aten.select.int")
def select(call: Call) -> str:
    """x[:, i]: a slice of size 1, then the axis is dropped."""
    shape = call.shape("self")
    axis = call.axis("dim", len(shape))
    length = shape[axis]
    if axis == 0 or not isinstance(length, int):
        call.refuse("it takes one image out of the batch")
    part = _part(call, axis, int(call["index"]) % length, 1)
    return call.emit(ops.Reshape(call.rest(call.shape_out)), part)


@reads(
    "aten.chunk.default", "aten.split.Tensor", "aten.split_with_sizes.default", "aten.tensor_split.sections"
)
@reads("aten.split.sizes", "aten.tensor_split.indices", "aten.unsafe_split.Tensor")
def split(call: Call) -> list[Value]:
    """The sizes of the parts are those of the results."""
    axis = call.axis("dim", len(call.shape("self")))
    parts: list[Value] = []
    start = 0
    for shape in call.shapes_out:
        size = call.whole(shape[axis])
        parts.append(_part(call, axis, start, size))
        start += size
    return parts


@reads("aten.unbind.int")
def unbind(call: Call) -> list[Value]:
    axis = call.axis("dim", len(call.shape("self")))
    if axis == 0:
        call.refuse("it takes the batch apart")
    rest = call.shapes_out[0]
    return [
        call.emit(ops.Reshape(call.rest(rest)), _part(call, axis, index, 1), shape=rest)
        for index in range(len(call.shapes_out))
    ]
