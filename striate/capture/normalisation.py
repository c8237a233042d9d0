"""Readers of normalisations (local response norm is a pattern: torch writes it as seven steps)."""

from __future__ import annotations

from striate import ops
from striate.capture.call import Call
from striate.capture.registry import reads


@reads("aten.batch_norm.default")
def batch_norm(call: Call) -> str:
    mean, variance = call.fixed("running_mean"), call.fixed("running_var")
    weight, bias = call.fixed("weight"), call.fixed("bias")
    if call["training"] or mean is None or variance is None:
        call.refuse("it normalises by the statistics of the batch; use track_running_stats=True")
    if (weight is None) != (bias is None):
        call.refuse("it has one of weight and bias; a batch norm has both or none")
    op = ops.BatchNorm(mean.shape[0], call["eps"], affine=weight is not None)
    return call.emit(
        op, call.value("input"), weight=weight, bias=bias, running_mean=mean, running_var=variance
    )


@reads("aten.layer_norm.default")
def layer_norm(call: Call) -> str:
    shape = call.numbers("normalized_shape")
    weight, bias = call.fixed("weight"), call.fixed("bias")
    if isinstance(shape, int) or len(shape) != 1:
        call.refuse(f"a layer norm over one axis has a word, this one normalises over the shape {shape}")
    if bias is not None and weight is None:
        call.refuse("it has a bias and no weight")
    op = ops.LayerNorm(
        shape[0], call["eps"], affine=weight is not None, bias=bias is not None or weight is None, dim=-1
    )
    return call.emit(op, call.value("input"), weight=weight, bias=bias)
