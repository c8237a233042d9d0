"""Readers of padding and resampling."""

from __future__ import annotations

from typing import Any

from striate import ops
from striate.capture.call import Call
from striate.capture.registry import reads

MODES = {"constant": "zeros", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


@reads("aten.pad.default", "aten.constant_pad_nd.default")
@reads(*(f"aten.{mode}_pad{axes}d.default" for mode in ("reflection", "replication") for axes in (1, 2, 3)))
def pad(call: Call) -> str:
    """Torch names the last axis first; a word keeps the order of the tensor."""
    flat = list(call.numbers("pad" if "pad." in call.operation or "_nd" in call.operation else "padding"))  # type: ignore[arg-type]
    pairs = tuple((flat[i], flat[i + 1]) for i in range(len(flat) - 2, -1, -2))
    if len(pairs) == len(call.shape("self")) and pairs[0] != (0, 0):
        call.refuse("it pads the batch axis")
    value = call["value"] if call.has("value") else 0.0
    return call.emit(ops.Pad(pairs, _mode(call), float(value or 0.0)), call.value("self"))


def _mode(call: Call) -> str:
    if call.has("mode"):
        return MODES[call["mode"]]
    return (
        "reflect"
        if "reflection" in call.operation
        else "replicate"
        if "replication" in call.operation
        else "zeros"
    )


@reads("aten.upsample_nearest1d.vec", "aten.upsample_nearest2d.vec", "aten.upsample_nearest3d.vec")
def nearest(call: Call) -> str:
    return call.emit(ops.Upsample(**_extent(call)), call.value("input"))


@reads("aten.upsample_linear1d.vec", "aten.upsample_bilinear2d.vec")
def linear(call: Call) -> str:
    mode = "linear" if "1d" in call.operation else "bilinear"
    op = ops.Upsample(**_extent(call), mode=mode, align_corners=bool(call["align_corners"]))
    return call.emit(op, call.value("input"))


def _extent(call: Call) -> dict[str, Any]:
    """The size where it is given, otherwise the factor."""
    if call["output_size"] is not None:
        return {"size": call.numbers("output_size")}
    return {"scale_factor": tuple(call["scale_factors"])}
