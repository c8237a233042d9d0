"""Readers of what takes a part of an axis: slices, splits, gathers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from striate import ops
from striate.onnx.batch import Image
from striate.onnx.call import Call
from striate.onnx.limits import MOST_RUNS
from striate.onnx.registry import reads
from striate.onnx.value import Flat, Value


def _part(call: Call, value: str, axis: int, start: int, end: int, step: int = 1) -> str:
    """Entries start, start + step, ... before ``end``; the whole axis is the value itself."""
    size = call.sizes(value)[axis - 1]
    if (start, step) == (0, 1) and end >= size:
        return value
    return call.emit(ops.Slice(axis, start, None if end >= size else end, step), value)


def taken(call: Call, value: str, axis: int, indices: Sequence[int]) -> str:
    """The entries of an axis in any order: runs with a constant step, one after the other."""
    size = call.sizes(value)[axis - 1]
    if any(not -size <= index < size for index in indices) or not indices:
        call.refuse(f"its indices must name some of {size} entries, got {list(indices)[:8]}")
    places = [index % size for index in indices]
    runs: list[list[int]] = []
    for place in places:
        run = runs[-1] if runs else []
        step = run[1] - run[0] if len(run) > 1 else place - run[0] if run else 0
        if run and step > 0 and place - run[-1] == step:
            run.append(place)
        else:
            runs.append([place])
        if len(runs) > MOST_RUNS:
            call.refuse(f"its indices jump more than {MOST_RUNS} times")
    parts = [
        _part(call, value, axis, run[0], run[-1] + 1, run[1] - run[0] if len(run) > 1 else 1) for run in runs
    ]
    return parts[0] if len(parts) == 1 else call.emit(ops.Concat(axis), *parts)


@reads("Slice", 11, 13)
def slice_(call: Call) -> str:
    x, rank = call.value(), call.rank()
    starts, ends = call.wholes(1, "starts"), call.wholes(2, "ends")
    axes = (
        [call.axis(axis, rank) for axis in call.wholes(3, "axes")]
        if call.given(3)
        else list(range(len(starts)))
    )
    steps = call.wholes(4, "steps") if call.given(4) else [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or len(set(axes)) < len(axes) or 0 in steps:
        call.refuse("its starts, ends, axes and steps must be one for each axis, and no step 0")
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if axis == 0:
            if (start, step) != (0, 1) or end < 2**31 - 1:
                call.refuse("it takes a part of the batch")
            continue
        chosen = range(*slice(start, end, step).indices(call.sizes(x)[axis - 1]))
        if not chosen:
            call.refuse(f"it leaves nothing of axis {axis}")
        if step < 0:
            x = taken(call, x, axis, chosen)
        else:
            x = _part(call, x, axis, chosen[0], chosen[-1] + 1, step)
    return x


@reads("Split", 11, 13, 18)
def split(call: Call) -> list[Value]:
    x, rank, parts = call.value(), call.rank(), len(call.node.output)
    axis = call.axis(call.integer("axis", 0), rank)
    stated, count = call.integers("split"), call.integer("num_outputs", parts)
    if axis == 0:
        call.refuse("it takes the batch apart")
    size = call.sizes(x)[axis - 1]
    lengths = stated or (call.wholes(1, "split") if call.given(1) else None)
    if lengths is None:
        each = -(-size // max(count, 1))
        lengths = [min(each, size - start) for start in range(0, size, each)]
        if call.version < 18 and size % parts:
            call.refuse(f"its {parts} parts of {size} entries must be equal")
    if len(lengths) != parts or sum(lengths) != size or min(lengths) < 1:
        call.refuse(
            f"its parts must add up to the {size} entries of axis {axis}, one for each output, got {lengths}"
        )
    found: list[Value] = []
    start = 0
    for length in lengths:
        found.append(_part(call, x, axis, start, start + length))
        start += length
    return found


@reads("Gather", 11, 13)
def gather(call: Call) -> str:
    """Constant indices: one number drops the axis, a row of them picks entries."""
    if isinstance(call.any(0), Flat):
        return _strided(call)
    x, axis = call.value(), call.axis(call.integer("axis", 0), call.rank())
    indices = call.array(1, "indices")
    if axis == 0:
        call.refuse("it takes images out of the batch")
    if indices.ndim > 1 or indices.dtype.kind not in "iu":
        call.refuse(f"its indices must be a number or a row of them, got shape {indices.shape}")
    picked = taken(call, x, axis, [int(index) for index in indices.reshape(-1)])
    if indices.ndim:
        return picked
    sizes = call.sizes(picked)
    return call.reshape(picked, *sizes[: axis - 1], *sizes[axis:])


def _strided(call: Call) -> str:
    """Values picked from the row of all images, at the same places of each: torch's as_strided."""
    flat, places = call.any(0), call.fixed(1, "indices").array
    x = flat.value if isinstance(flat, Flat) else call.value(0)
    sizes, entries = call.sizes(x), list(places.flat)
    own = prod(sizes)
    within = all(isinstance(e, Image) and e.stride == own and 0 <= e.offset < own for e in entries)
    if call.integer("axis", 0) != 0 or places.ndim < 2 or places.shape[0] != 1 or not within:
        call.refuse("it mixes the images of a batch")
    row = call.reshape(x, own)
    return call.reshape(taken(call, row, 1, [entry.offset for entry in entries]), *places.shape[1:])
