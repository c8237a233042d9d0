"""Readers of convolutions, and the padding that all windows of ONNX share."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from striate import ops
from striate.onnx.call import Call
from striate.onnx.registry import reads
from striate.onnx.value import Fixed

CONVOLUTIONS = {1: ops.Conv1d, 2: ops.Conv2d, 3: ops.Conv3d}
TRANSPOSED = {1: ops.ConvTranspose1d, 2: ops.ConvTranspose2d, 3: ops.ConvTranspose3d}
Pairs = tuple[tuple[int, int], ...]


def spatial(call: Call) -> tuple[int, ...]:
    """The sizes of a map; windows slide over one, two or three axes."""
    sizes = tuple(int(size) for size in call.shape()[2:])
    if not 1 <= len(sizes) <= 3:
        call.refuse(f"its input must have 1 to 3 axes after batch and channels, got {len(sizes)}")
    return sizes


def per_axis(call: Call, name: str, axes: int) -> tuple[int, ...]:
    """An attribute with one integer for each spatial axis, 1 by default."""
    return tuple(call.integers(name, [1] * axes))


def same_pads(
    sizes: tuple[int, ...], spans: tuple[int, ...], strides: tuple[int, ...], *, lower: bool
) -> Pairs:
    """TensorFlow's SAME: ceil(W / S) outputs; the odd pixel goes after the map, or (``lower``) before it."""
    pairs = []
    for size, span, stride in zip(sizes, spans, strides, strict=True):
        total = max((-(-size // stride) - 1) * stride + span - size, 0)
        small, large = total // 2, total - total // 2
        pairs.append((large, small) if lower else (small, large))
    return tuple(pairs)


def pads_of(
    call: Call, kernel: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...]
) -> Pairs:
    """Pixels before and after each axis, from ``pads`` or ``auto_pad``."""
    sizes = spatial(call)
    axes = len(sizes)
    if not len(kernel) == len(strides) == len(dilations) == axes:
        call.refuse(f"its kernel, strides and dilations must have {axes} entries each")
    auto, pads = call.text("auto_pad", "NOTSET"), call.integers("pads", [0] * 2 * axes)
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        spans = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True))
        return same_pads(sizes, spans, strides, lower=auto == "SAME_LOWER")
    if auto == "VALID":
        return ((0, 0),) * axes
    if auto != "NOTSET" or len(pads) != 2 * axes:
        call.refuse(f"its padding must be {2 * axes} numbers or a known auto_pad, got {auto}, {pads}")
    return tuple(zip(pads[:axes], pads[axes:], strict=True))


def kernel_of(call: Call, weight: Fixed) -> tuple[int, ...]:
    """The kernel's sizes, which must be those of the weight."""
    shape = weight.array.shape[2:]
    if len(weight.array.shape) != call.rank():
        call.refuse(f"its weight must have as many axes as its input, got shape {weight.array.shape}")
    stated = tuple(call.integers("kernel_shape", list(shape)))
    if stated != shape:
        call.refuse(f"its kernel_shape must be that of its weight, {shape}, got {stated}")
    return shape


@reads("Conv", 1, 11, 22)
def convolution(call: Call) -> str:
    weight, bias = call.fixed(1, "weight"), call.optional(2, "bias")
    kernel, axes = kernel_of(call, weight), len(spatial(call))
    strides, dilations = per_axis(call, "strides", axes), per_axis(call, "dilations", axes)
    groups = call.integer("group", 1)
    op = CONVOLUTIONS[axes](
        in_channels=weight.array.shape[1] * groups,
        out_channels=weight.array.shape[0],
        kernel_size=kernel,
        stride=strides,
        padding=pads_of(call, kernel, strides, dilations),
        dilation=dilations,
        groups=groups,
        bias=bias is not None,
    )
    _need_bias(call, bias, op.out_channels)
    return call.emit(op, call.value(), weight=weight, bias=bias)


def _need_bias(call: Call, bias: Fixed | None, channels: int) -> None:
    if bias is not None and bias.array.shape != (channels,):
        call.refuse(f"its bias must have shape ({channels},), got {bias.array.shape}")


@reads("ConvTranspose", 1, 11, 22)
def transposed_convolution(call: Call) -> str:
    """Where the padding differs between sides, the smaller is taken, and the rest is cut from the result."""
    weight, bias = call.fixed(1, "weight"), call.optional(2, "bias")
    kernel, axes = kernel_of(call, weight), len(spatial(call))
    strides, dilations = per_axis(call, "strides", axes), per_axis(call, "dilations", axes)
    groups = call.integer("group", 1)
    extra = call.integers("output_padding", [0] * axes)
    spans = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True))
    pads = _cut(call, spans, strides, extra)
    op = TRANSPOSED[axes](
        in_channels=weight.array.shape[0],
        out_channels=weight.array.shape[1] * groups,
        kernel_size=kernel,
        stride=strides,
        groups=groups,
        bias=bias is not None,
        dilation=dilations,
    )
    _need_bias(call, bias, op.out_channels)
    common = tuple(max(0, min(pair)) for pair in pads)
    rest = tuple((common[i] - before, common[i] - after + extra[i]) for i, (before, after) in enumerate(pads))
    if all(
        before == 0 and 0 <= after < max(strides[i], dilations[i]) for i, (before, after) in enumerate(rest)
    ):
        op = replace(op, padding=common, output_padding=tuple(after for _, after in rest))
        return call.emit(op, call.value(), weight=weight, bias=bias)
    if any(after > 0 or before > 0 for before, after in rest):
        call.refuse(f"its output_padding must be smaller than its stride or dilation, got {extra}")
    whole = call.emit(replace(op, padding=common), call.value(), weight=weight, bias=bias)
    return call.emit(ops.Pad(rest), whole)


def _cut(call: Call, spans: tuple[int, ...], strides: tuple[int, ...], extra: list[int]) -> Pairs:
    """Pixels cut from each side, from ``pads``, ``auto_pad`` or ``output_shape``."""
    sizes = spatial(call)
    axes = len(sizes)
    auto, pads = call.text("auto_pad", "NOTSET"), call.integers("pads", [0] * 2 * axes)
    wanted = call.integers("output_shape")
    if (
        len(strides) != axes
        or len(extra) != axes
        or (wanted is not None and len(wanted) not in (axes, axes + 2))
    ):
        call.refuse(f"its strides, output_padding and output_shape must have {axes} entries each")
    if wanted is None and auto == "NOTSET":
        if len(pads) != 2 * axes:
            call.refuse(f"its padding must be {2 * axes} numbers, got {pads}")
        return tuple(zip(pads[:axes], pads[axes:], strict=True))
    if wanted is None and auto == "VALID":
        return ((0, 0),) * axes
    if auto not in ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"):
        call.refuse(f"its auto_pad is not known, got {auto!r}")
    targets = (
        [size * stride for size, stride in zip(sizes, strides, strict=True)] if wanted is None else wanted
    )
    pairs = []
    for i, target in enumerate(targets[-axes:]):
        total = strides[i] * (sizes[i] - 1) + extra[i] + spans[i] - target
        if total < 0:
            call.refuse(f"its output would need pixels that no kernel paints, got output_shape {targets}")
        small = total // 2
        pairs.append((small, total - small) if auto == "SAME_UPPER" else (total - small, small))
    return tuple(pairs)


def channel_vector(call: Call, fixed: Fixed, channels: int, what: str) -> Fixed:
    """A constant with one entry for each channel, or for all, as a vector."""
    array = fixed.array
    if prod(array.shape) != channels:
        call.refuse(f"its {what} must have {channels} entries, got shape {array.shape}")
    return Fixed(fixed.name, array.reshape(channels))
