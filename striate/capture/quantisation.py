"""Readers of fake quantisation, which training for integers puts between layers."""

from __future__ import annotations

import torch

from striate import ops
from striate.capture.call import Call, Fixed
from striate.capture.registry import reads


@reads("aten.fake_quantize_per_tensor_affine.default", "aten.fake_quantize_per_channel_affine.default")
@reads("aten.fake_quantize_per_tensor_affine.tensor_qparams")
def fake_quantize(call: Call) -> str:
    """A scale and a zero point for all values, or for each channel."""
    scale, zero_point = (_vector(call[name]) for name in ("scale", "zero_point"))
    if scale is None or zero_point is None:
        call.refuse("its scale is computed from the network's input")
    channels = int(scale.tensor.numel())
    dim = int(call["axis"]) if call.has("axis") and channels > 1 else 1
    op = ops.FakeQuantize(call["quant_min"], call["quant_max"], channels, dim)
    return call.emit(op, call.value("self"), scale=scale, zero_point=zero_point)


def _vector(value: object) -> Fixed | None:
    if isinstance(value, (int, float)):
        return Fixed(None, torch.tensor([float(value)], dtype=torch.float64))
    if not isinstance(value, Fixed):
        return None
    tensor = value.tensor.reshape(-1)
    return Fixed(value.name, tensor if tensor.is_floating_point() else tensor.double())
