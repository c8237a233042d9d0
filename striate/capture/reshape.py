"""Readers of reshapes, permutations and shuffles, which only move values; sums and means of axes."""

from __future__ import annotations

from striate import ops
from striate.capture.call import Call
from striate.capture.registry import reads
from striate.graph import Shape


@reads(
    "aten.view.default",
    "aten.reshape.default",
    "aten._unsafe_view.default",
    "aten.unflatten.int",
    "aten.squeeze.default",
    "aten.squeeze.dim",
    "aten.squeeze.dims",
    "aten.unsqueeze.default",
    "aten.view_as.default",
    "aten.reshape_as.default",
)
def reshape(call: Call) -> str:
    """All of them are told apart by the shape of the result alone."""
    value = call.value("self")
    if call.shape("self") == call.shape_out:
        return value
    if not call.shape_out or call.shape("self")[:1] != call.shape_out[:1]:
        call.refuse(f"it moves values between images of a batch: {call.shape('self')} to {call.shape_out}")
    return call.emit(ops.Reshape(call.rest(call.shape_out)), value)


@reads("aten.flatten.using_ints")
def flatten(call: Call) -> str:
    rank = len(call.shape("self"))
    start, end = call.axis("start_dim", rank), call.axis("end_dim", rank)
    if start == end:
        return call.value("self")
    if start == 0:
        call.refuse("it joins the batch with another axis")
    return call.emit(ops.Flatten(start, -1 if end == rank - 1 else end), call.value("self"))


@reads("aten.permute.default")
def permute(call: Call) -> str:
    return call.emit(ops.Permute(tuple(call["dims"])), call.value("self"))


@reads("aten.transpose.int", "aten.swapaxes.default", "aten.swapdims.default")
def transpose(call: Call) -> str:
    rank = len(call.shape("self"))
    names = ("axis0", "axis1") if "axes" in call.operation else ("dim0", "dim1")
    first, second = (call.axis(name, rank) for name in names)
    order = list(range(rank))
    order[first], order[second] = second, first
    return call.emit(ops.Permute(tuple(order)), call.value("self"))


@reads("aten.mT.default", "aten.t.default")
def matrix_transpose(call: Call) -> str:
    rank = len(call.shape("self"))
    return call.emit(ops.Permute((*range(rank - 2), rank - 1, rank - 2)), call.value("self"))


@reads("aten.movedim.int", "aten.movedim.intlist", "aten.moveaxis.int")
def move_axes(call: Call) -> str:
    rank = len(call.shape("self"))
    sources, targets = (
        [axis % rank for axis in (axes if isinstance(axes, list) else [axes])]
        for axes in (call["source"], call["destination"])
    )
    order = [axis for axis in range(rank) if axis not in sources]
    for target, source in sorted(zip(targets, sources, strict=True)):
        order.insert(target, source)
    return call.emit(ops.Permute(tuple(order)), call.value("self"))


@reads("aten.mean.dim", "aten.mean.default", "aten.sum.dim_IntList", "aten.sum.default")
def reduce(call: Call) -> str:
    if call["dtype"] is not None and not call["dtype"].is_floating_point:
        call.refuse("its result is not floating point")
    word = ops.Mean if "mean" in call.operation else ops.Sum
    every = "default" in call.operation
    rank = len(call.shape("self"))
    axes = tuple(range(rank)) if every else call.axes("dim", rank)
    return call.emit(word(axes, False if every else bool(call["keepdim"])), call.value("self"))


# --- shuffles ---------------------------------------------------------------------------------------------


@reads("aten.channel_shuffle.default", "aten.native_channel_shuffle.default")
def channel_shuffle(call: Call) -> str:
    return call.emit(ops.ChannelShuffle(int(call["groups"])), call.value("self"))


@reads("aten.pixel_shuffle.default")
def pixel_shuffle(call: Call) -> str:
    """(N, C*r*r, H, W) to (N, C, H*r, W*r): split the channels, lay r beside H and W. arXiv 1609.05158."""
    batch, channels, height, width = _image(call)
    r = int(call["upscale_factor"])
    split_shape = (batch, channels // r**2, r, r, height, width)
    return _shuffled(call, split_shape, (0, 1, 4, 2, 5, 3))


@reads("aten.pixel_unshuffle.default")
def pixel_unshuffle(call: Call) -> str:
    """The way back."""
    batch, channels, height, width = _image(call)
    r = int(call["downscale_factor"])
    split_shape = (batch, channels, height // r, r, width // r, r)
    return _shuffled(call, split_shape, (0, 1, 3, 5, 2, 4))


def _image(call: Call) -> tuple[int | str, int, int, int]:
    shape = call.shape("self")
    if len(shape) != 4:
        call.refuse("its input must be (N, C, H, W)")
    batch, channels, height, width = shape
    return batch, call.whole(channels), call.whole(height), call.whole(width)


def _shuffled(call: Call, shape: Shape, order: tuple[int, ...]) -> str:
    apart = call.emit(ops.Reshape(call.rest(shape)), call.value("self"), shape=shape)
    moved = tuple(shape[axis] for axis in order)
    permuted = call.emit(ops.Permute(order), apart, shape=moved)
    return call.emit(ops.Reshape(call.rest(call.shape_out)), permuted)
