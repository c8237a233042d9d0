"""Readers of what only moves values: reshapes, permutations, padding, copies along an axis."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from striate import ops
from striate.onnx.batch import Batch
from striate.onnx.call import Call
from striate.onnx.registry import reads
from striate.onnx.value import Fixed, Flat

PAD_MODES = {"constant": "zeros", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


@reads("Reshape", 5, 13, 14, 19, 21, 23, 24, 25)
def reshape(call: Call) -> str | Flat:
    """The first size must be the batch: by name, copied (0), left open (-1), or the file's fixed one."""
    x, literal = call.value(), bool(call.integer("allowzero", 0))
    sizes = call.sizes(x)
    wanted: list[Any] = list(call.entries(1, "shape"))
    for axis, entry in enumerate(wanted):
        if not isinstance(entry, Batch) and entry == 0 and not literal:
            if axis > len(sizes):
                call.refuse(f"its shape copies axis {axis}, which its input does not have")
            wanted[axis] = sizes[axis - 1] if axis else Batch()
    if wanted == [-1] and len(sizes) > 1:
        return Flat(x)
    if not wanted:
        call.refuse("it mixes the images of a batch: its result has no axes")
    first, rest = wanted[0], wanted[1:]
    if any(isinstance(entry, Batch) for entry in rest) or any(entry < -1 for entry in rest):
        call.refuse(f"it moves the batch, or its shape is none: {wanted}")
    same = (first.count == 1) if isinstance(first, Batch) else first in (-1, self_batch(call))
    left_open = not isinstance(first, Batch) and first == -1
    if not same or (left_open and (-1 in rest or prod(rest) != prod(sizes))):
        call.refuse(f"it mixes the images of a batch: from {call.shape()} to {wanted}")
    return x if tuple(rest) == sizes else call.emit(ops.Reshape(tuple(rest)), x)


def self_batch(call: Call) -> int | None:
    """The number of images that the file fixes."""
    return call.batch


@reads("Flatten", 11, 13, 21, 23, 24, 25)
def flatten(call: Call) -> str:
    """Two axes: those before ``axis``, and those from it on."""
    x, axis, rank = call.value(), call.integer("axis", 1), call.rank()
    if not -rank <= axis <= rank:
        call.refuse(f"its axis must be between {-rank} and {rank}, got {axis}")
    axis, sizes = axis % rank if axis < rank else axis, call.sizes(x)
    if axis == 0 or prod(sizes[: axis - 1]) != 1:
        call.refuse(f"it mixes the images of a batch: its axis is {axis} for the shape {call.shape()}")
    if len(sizes) == 1:
        return x
    return call.emit(ops.Flatten(1), x) if axis == 1 else call.reshape(x, prod(sizes))


@reads("Squeeze", 11, 13, 21, 23, 24, 25)
def squeeze(call: Call) -> str:
    x = call.value()
    sizes, axes = call.sizes(x), call.axes("axes", 1, call.rank())
    if axes is None:
        axes = [axis for axis, size in enumerate(sizes, start=1) if size == 1]
    if 0 in axes or any(sizes[axis - 1] != 1 for axis in axes):
        call.refuse(f"it may only drop axes of size 1, and not the batch, got axes {axes} of {call.shape()}")
    return call.reshape(x, *(size for axis, size in enumerate(sizes, start=1) if axis not in axes))


@reads("Unsqueeze", 11, 13, 21, 23, 24, 25)
def unsqueeze(call: Call) -> str:
    x = call.value()
    given = call.integers("axes") or call.wholes(1, "axes")
    rank = call.rank() + len(given)
    axes = {call.axis(axis, rank) for axis in given}
    if 0 in axes or len(axes) < len(given):
        call.refuse(f"it must add axes after the batch, each once, got {given}")
    old = iter(call.sizes(x))
    return call.reshape(x, *(1 if axis in axes else next(old) for axis in range(1, rank)))


@reads("Transpose", 1, 13, 21, 23, 24, 25)
def transpose(call: Call) -> str:
    rank = call.rank()
    order = tuple(call.integers("perm", list(reversed(range(rank)))))
    return call.value() if order == tuple(range(rank)) else call.emit(ops.Permute(order), call.value())


@reads("Pad", 11, 13, 18, 19, 21, 23, 24, 25)
def pad(call: Call) -> str:
    """Only the axes from the first that is padded on; the batch is not."""
    mode, rank, x = call.text("mode", "constant"), call.rank(), call.value()
    if mode not in PAD_MODES:
        call.refuse(f"its mode must be one of {', '.join(PAD_MODES)}, got {mode!r}")
    axes = call.axes("axes", 3, rank)
    axes = list(range(rank)) if axes is None else axes
    pads, value = call.wholes(1, "pads"), call.scalar(2, "value", 0.0)
    if len(pads) != 2 * len(axes):
        call.refuse(f"it must have two numbers of pixels for each of {len(axes)} axes, got {pads}")
    pairs = [(0, 0)] * rank
    for index, axis in enumerate(axes):
        pairs[axis] = (pads[index], pads[index + len(axes)])
    first = next((axis for axis in range(rank) if pairs[axis] != (0, 0)), None)
    if first is None:
        return x
    if first == 0:
        call.refuse("it pads the batch with images of its own")
    word = PAD_MODES[mode]
    return call.emit(ops.Pad(tuple(pairs[first:]), word, float(value) if word == "zeros" else 0.0), x)


@reads("Expand", 8, 13)
def expand(call: Call) -> str:
    """Sizes of 1 repeated: a product with ones of the wanted shape."""
    x = call.value()
    sizes, wanted = call.sizes(x), call.entries(1, "shape")
    if len(wanted) > len(sizes) + 1:
        call.refuse(f"it adds axes before the batch: its shape is {wanted}")
    if (
        len(wanted) == len(sizes) + 1
        and not isinstance(wanted[0], Batch)
        and wanted[0] not in (1, call.batch)
    ):
        call.refuse(f"it repeats the images of a batch: its shape is {wanted}")
    ones = [int(size) for size in wanted[-len(sizes) :]] if sizes else []
    if all(a in (1, b) for a, b in zip(reversed(ones), reversed(sizes), strict=False)):
        return x
    call.room_for(prod(ones))
    return call.emit(ops.Multiply(), x, call.as_value(Fixed(None, np.ones((1, *ones), np.float32))))


@reads("Tile", 6, 13)
def tile(call: Call) -> str:
    """Copies one after the other, an axis at a time."""
    x, counts = call.value(), call.wholes(1, "repeats")
    if len(counts) != call.rank() or counts[0] != 1 or min(counts) < 1 or max(counts) > 4096:
        call.refuse(f"it must repeat the axes after the batch, at most 4096 times, got {counts}")
    for axis, count in enumerate(counts):
        if count > 1:
            x = call.emit(ops.Concat(axis), *[x] * count)
    return x


@reads("DepthToSpace", 11, 13, 28)
def depth_to_space(call: Call) -> str:
    """(C * r * r, H, W) to (C, H * r, W * r). Shi et al. 2016, arXiv 1609.05158."""
    channels, height, width, r, x = _blocks(call)
    if channels % (r * r):
        call.refuse(f"its blocksize squared must divide the {channels} channels, got {r}")
    mode, c = call.text("mode", "DCR"), channels // (r * r)
    if mode not in ("DCR", "CRD"):
        call.refuse(f"its mode must be DCR or CRD, got {mode!r}")
    apart = (r, r, c, height, width) if mode == "DCR" else (c, r, r, height, width)
    order = (0, 3, 4, 1, 5, 2) if mode == "DCR" else (0, 1, 4, 2, 5, 3)
    moved = call.emit(ops.Permute(order), call.reshape(x, *apart))
    return call.reshape(moved, c, height * r, width * r)


@reads("SpaceToDepth", 1, 13, 28)
def space_to_depth(call: Call) -> str:
    """The way back."""
    channels, height, width, r, x = _blocks(call)
    if height % r or width % r:
        call.refuse(f"its blocksize must divide {height} x {width}, got {r}")
    mode = call.text("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        call.refuse(f"its mode must be DCR or CRD, got {mode!r}")
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    apart = call.reshape(x, channels, height // r, r, width // r, r)
    return call.reshape(call.emit(ops.Permute(order), apart), channels * r * r, height // r, width // r)


def _blocks(call: Call) -> tuple[int, int, int, int, str]:
    x = call.value()
    r = call.integer("blocksize") or call.required("blocksize")
    if call.rank() != 4 or r < 1:
        call.refuse(
            f"it must have an input (N, C, H, W) and a blocksize of at least 1, got {call.shape()}, {r}"
        )
    channels, height, width = call.sizes(x)
    return channels, height, width, r, x
