"""Readers of normalisations. Those over other axes than the channels are written in several words."""

from __future__ import annotations

from math import prod

from striate import ops
from striate.onnx.call import Call
from striate.onnx.convolution import channel_vector
from striate.onnx.registry import reads
from striate.onnx.value import Fixed


@reads("BatchNormalization", 9, 14, 15)
def batch_norm(call: Call) -> str:
    call.only("training_mode", 0)
    call.real("momentum", 0.9)  # of the running statistics, which use does not change
    x = call.value()
    channels = call.sizes(x)[0] if call.rank() > 1 else 1
    names = ("scale", "bias", "mean", "variance")
    parts = [
        channel_vector(call, call.fixed(i, name), channels, name) for i, name in enumerate(names, start=1)
    ]
    weights = dict(zip(("weight", "bias", "running_mean", "running_var"), parts, strict=True))
    return call.emit(ops.BatchNorm(channels, call.real("epsilon", 1e-5)), x, **weights)


@reads("LRN", 1, 13)
def local_response(call: Call) -> str:
    """ONNX takes (size - 1) // 2 channels before, torch size // 2: the same for odd sizes."""
    size = call.integer("size") or call.required("size")
    if size % 2 == 0:
        call.refuse(f"its size must be odd, even windows lie differently in the word, got {size}")
    alpha, beta, bias = call.real("alpha", 1e-4), call.real("beta", 0.75), call.real("bias", 1.0)
    return call.emit(ops.LocalResponseNorm(size, alpha, beta, bias), call.value())


def normalised(call: Call, x: str, axes: tuple[int, ...], eps: float, *, centred: bool = True) -> str:
    """(x - mean) / sqrt(mean of the squares + eps) over ``axes``; not ``centred``: the mean stays."""
    if centred:
        x = call.emit(ops.Subtract(), x, call.emit(ops.Mean(axes, keepdim=True), x))
    variance = call.emit(ops.Mean(axes, keepdim=True), call.emit(ops.Multiply(), x, x))
    if eps:
        variance = call.emit(ops.Add(), variance, call.number(eps))
    return call.emit(ops.Divide(), x, call.emit(ops.SquareRoot(), variance))


@reads("InstanceNormalization", 6, 22)
def instance_norm(call: Call) -> str:
    """Each channel of each image by itself. arXiv 1607.08022."""
    x = call.value()
    channels, rank = call.sizes(x)[0], call.rank()
    if rank < 3:
        call.refuse(f"its input must have axes after the channels, got {rank - 2}")
    weight, bias = (
        channel_vector(call, call.fixed(i, name), channels, name) for i, name in ((1, "scale"), (2, "bias"))
    )
    y = normalised(call, x, tuple(range(2, rank)), call.real("epsilon", 1e-5))
    return call.emit(ops.Scale(channels), y, weight=weight, bias=bias)


@reads("GroupNormalization", 21)
def group_norm(call: Call) -> str:
    """Groups of channels by themselves. Wu and He 2018, arXiv 1803.08494."""
    x = call.value()
    sizes = call.sizes(x)
    groups = call.integer("num_groups") or call.required("num_groups")
    call.only("stash_type", 1)
    if groups < 1 or sizes[0] % groups:
        call.refuse(f"its num_groups must divide the {sizes[0]} channels, got {groups}")
    weight, bias = (
        channel_vector(call, call.fixed(i, name), sizes[0], name) for i, name in ((1, "scale"), (2, "bias"))
    )
    apart = call.reshape(x, groups, prod(sizes) // groups)
    y = normalised(call, apart, (2,), call.real("epsilon", 1e-5))
    return call.emit(ops.Scale(sizes[0]), call.reshape(y, *sizes), weight=weight, bias=bias)


@reads("LayerNormalization", 17)
def layer_norm(call: Call) -> str:
    """Over all axes from ``axis`` on; over the last alone it is the word."""
    call.only("stash_type", 1)
    eps, x = call.real("epsilon", 1e-5), call.value()
    axis, rank = call.axis(call.integer("axis", -1), call.rank()), call.rank()
    sizes, weight, bias = call.sizes(x), call.fixed(1, "scale"), call.optional(2, "bias")
    if axis == 0:
        call.refuse("it mixes the images of a batch: its axis is 0")
    if axis == rank - 1 and weight.array.size == sizes[-1] and (bias is None or bias.array.size == sizes[-1]):
        op = ops.LayerNorm(sizes[-1], eps, affine=True, bias=bias is not None, dim=-1)
        flat = channel_vector(call, weight, sizes[-1], "scale")
        return call.emit(op, x, weight=flat, bias=bias and channel_vector(call, bias, sizes[-1], "bias"))
    y = normalised(call, x, tuple(range(axis, rank)), eps)
    return _affine(call, y, weight, bias)


@reads("RMSNormalization", 23)
def root_mean_square_norm(call: Call) -> str:
    """x / sqrt(mean of x^2 + eps) * scale. arXiv 1910.07467."""
    call.only("stash_type", 1)
    axis, rank = call.axis(call.integer("axis", -1), call.rank()), call.rank()
    eps = call.real("epsilon", 1e-5)
    y = normalised(call, call.value(), tuple(range(axis, rank)), eps, centred=False)
    return _affine(call, y, call.fixed(1, "scale"), None)


def _affine(call: Call, y: str, weight: Fixed, bias: Fixed | None) -> str:
    scaled = call.emit(ops.Multiply(), y, call.as_value(weight))
    return scaled if bias is None else call.emit(ops.Add(), scaled, call.as_value(bias))


@reads("MeanVarianceNormalization", 9, 13)
def mean_variance_norm(call: Call) -> str:
    """(x - mean) / (sqrt(variance) + 1e-9), as ONNX's own function for it says."""
    axes = tuple(call.axis(axis, call.rank()) for axis in call.integers("axes", [0, 2, 3]))
    x = call.value()
    centred = call.emit(ops.Subtract(), x, call.emit(ops.Mean(axes, keepdim=True), x))
    variance = call.emit(ops.Mean(axes, keepdim=True), call.emit(ops.Multiply(), centred, centred))
    deviation = call.emit(ops.Add(), call.emit(ops.SquareRoot(), variance), call.number(1e-9))
    return call.emit(ops.Divide(), centred, deviation)


@reads("LpNormalization", 1, 22)
def unit_length(call: Call) -> str:
    """x divided by its length along one axis."""
    x, p = call.value(), call.integer("p", 2)
    axis = call.axis(call.integer("axis", -1), call.rank())
    if p not in (1, 2):
        call.refuse(f"its p must be 1 or 2, got {p}")
    powers = call.emit(ops.Absolute(), x) if p == 1 else call.emit(ops.Multiply(), x, x)
    total = call.emit(ops.Sum((axis,), keepdim=True), powers)
    return call.emit(ops.Divide(), x, total if p == 1 else call.emit(ops.SquareRoot(), total))
