"""Constants whose values are only moved, repeated or picked, computed while the file is read."""

from __future__ import annotations

from math import prod

import numpy as np

from striate.onnx.batch import of_images, settled
from striate.onnx.call import Call
from striate.onnx.folding import arrays
from striate.onnx.registry import folds
from striate.onnx.value import Fixed, Value


@folds("Gather", 11, 13)
def gather(call: Call) -> Fixed:
    array, indices = arrays(call)
    axis = call.axis(call.integer("axis", 0), array.ndim)
    call.room_for(array.size // max(1, array.shape[axis]) * indices.size)
    return call.result(np.take(array, indices.astype(np.int64), axis))


@folds("Slice", 11, 13)
def slice_(call: Call) -> Fixed:
    array = call.fixed(0, "input").array
    starts, ends = call.wholes(1, "starts"), call.wholes(2, "ends")
    axes = call.wholes(3, "axes") if call.given(3) else list(range(len(starts)))
    steps = call.wholes(4, "steps") if call.given(4) else [1] * len(starts)
    index = [slice(None)] * array.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        place = call.axis(axis, array.ndim)
        first, last, _ = slice(start, end, step).indices(array.shape[place])
        index[place] = slice(first, None if last < 0 else last, step)
    return call.result(array[tuple(index)])


@folds("Split", 11, 13, 18)
def split(call: Call) -> list[Value]:
    array, parts = call.fixed(0, "input").array, len(call.node.output)
    axis = call.axis(call.integer("axis", 0), array.ndim)
    stated, count = call.integers("split"), call.integer("num_outputs", parts)
    lengths = stated or (call.wholes(1, "split") if call.given(1) else None)
    if lengths is None:
        each = -(-array.shape[axis] // max(1, count))
        lengths = [each] * (count - 1) + [array.shape[axis] - each * (count - 1)]
    if len(lengths) != parts or sum(lengths) != array.shape[axis] or min(lengths) < 0:
        call.refuse(f"its parts must add up to the {array.shape[axis]} entries of axis {axis}, got {lengths}")
    pieces = np.split(array, np.cumsum(lengths)[:-1], axis)
    return [Fixed(name or None, settled(piece)) for name, piece in zip(call.node.output, pieces, strict=True)]


@folds("Concat", 11, 13)
def concatenate(call: Call) -> Fixed:
    return call.result(np.concatenate(arrays(call), call.integer("axis", 0)))


@folds("Reshape", 5, 13, 14, 19, 21, 23, 24, 25)
def reshape(call: Call) -> Fixed:
    array, literal = call.fixed(0, "input").array, call.integer("allowzero", 0)
    wanted = call.wholes(1, "shape")
    sizes = [array.shape[axis] if size == 0 and not literal else size for axis, size in enumerate(wanted)]
    return call.result(array.reshape(sizes))


@folds("Flatten", 11, 13, 21, 23, 24, 25)
def flatten(call: Call) -> Fixed:
    array, axis = call.fixed(0, "input").array, call.integer("axis", 1)
    return call.result(array.reshape(prod(array.shape[:axis]), -1))


@folds("Transpose", 1, 13, 21, 23, 24, 25)
def transpose(call: Call) -> Fixed:
    return call.result(np.transpose(call.fixed(0, "input").array, call.integers("perm")))


@folds("Squeeze", 11, 13, 21, 23, 24, 25)
def squeeze(call: Call) -> Fixed:
    array = call.fixed(0, "input").array
    axes = call.axes("axes", 1, array.ndim)
    return call.result(np.squeeze(array, None if axes is None else tuple(axes)))


@folds("Unsqueeze", 11, 13, 21, 23, 24, 25)
def unsqueeze(call: Call) -> Fixed:
    array = call.fixed(0, "input").array
    axes = call.integers("axes") or call.wholes(1, "axes")
    if array.ndim + len(axes) > 32 or (of_images(array) and min(axes) < 1):
        call.refuse(f"it adds more axes than NumPy has, or one before the batch, got {axes}")
    return call.result(np.expand_dims(array, tuple(axes)))


@folds("Expand", 8, 13)
def expand(call: Call) -> Fixed:
    array, sizes = call.fixed(0, "input").array, call.wholes(1, "shape")
    wanted = np.broadcast_shapes(array.shape, tuple(sizes))
    call.room_for(prod(wanted))
    return call.result(np.broadcast_to(array, wanted))


@folds("Tile", 6, 13)
def tile(call: Call) -> Fixed:
    array, counts = call.fixed(0, "input").array, call.wholes(1, "repeats")
    if min(counts, default=1) < 0:
        call.refuse(f"its repeats must not be negative, got {counts}")
    call.room_for(array.size * prod(counts))
    return call.result(np.tile(array, counts))


@folds("Pad", 11, 13, 18, 19, 21, 23, 24, 25)
def pad(call: Call) -> Fixed:
    array, mode, pads = call.fixed(0, "input").array, call.text("mode", "constant"), call.wholes(1, "pads")
    if mode != "constant" or call.given(3) or len(pads) != 2 * array.ndim or min(pads) < 0:
        call.refuse("a constant may only be padded with constants, on all axes")
    pairs = list(zip(pads[: array.ndim], pads[array.ndim :], strict=True))
    call.room_for(prod(size + sum(pair) for size, pair in zip(array.shape, pairs, strict=True)))
    value = call.array(2, "value").item() if call.given(2) else 0
    return call.result(np.pad(array, pairs, constant_values=value))
