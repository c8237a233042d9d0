"""Normalisations, as they act when a network is used."""

from __future__ import annotations

import numpy as np

from striate import ops
from striate.reference.meaning import Array, along, meaning, require_channels
from striate.reference.padding import padded


@meaning(ops.BatchNorm)
def batch_norm(
    op: ops.BatchNorm,
    x: Array,
    running_mean: Array,
    running_var: Array,
    weight: Array | None = None,
    bias: Array | None = None,
) -> Array:
    """y = (x - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c], c the index on axis 1."""
    require_channels(x, op.num_features, 1, "num_features")
    mean, deviation = running_mean, np.sqrt(running_var + op.eps)
    y = (x - along(mean, 1, x.ndim)) / along(deviation, 1, x.ndim)
    return _affine(y, 1, weight, bias)


@meaning(ops.LayerNorm)
def layer_norm(op: ops.LayerNorm, x: Array, weight: Array | None = None, bias: Array | None = None) -> Array:
    """y = (x - m) / sqrt(v + eps) * weight[c] + bias[c]; m, v: mean and variance over the channels."""
    require_channels(x, op.num_channels, op.dim, "num_channels")
    centred = x - x.mean(op.dim, keepdims=True)
    y = centred / np.sqrt((centred**2).mean(op.dim, keepdims=True) + op.eps)
    return _affine(y, op.dim, weight, bias)


@meaning(ops.LocalResponseNorm)
def local_response_norm(op: ops.LocalResponseNorm, x: Array) -> Array:
    """y[n, c] = x[n, c] / (k + alpha / size * sum of x[n, j]^2)^beta: ``size`` channels j from c - size//2"""
    require_channels(x, x.shape[1] if x.ndim > 1 else 1, 1, "channels")
    channels = x.shape[1]
    squares = padded(np.moveaxis(x, 1, -1) ** 2, [(op.size // 2, (op.size - 1) // 2)])
    energy: Array = sum(squares[..., j : j + channels] for j in range(op.size))  # type: ignore[assignment]
    return x / (op.k + op.alpha / op.size * np.moveaxis(energy, -1, 1)) ** op.beta


@meaning(ops.GlobalResponseNorm)
def global_response_norm(op: ops.GlobalResponseNorm, x: Array, weight: Array, bias: Array) -> Array:
    """y = weight[c] * x * n + bias[c] + x with g = |x|_2 over space and n = g / (mean of g over c + eps)."""
    require_channels(x, op.num_channels, op.dim, "num_channels")
    channel_axis = op.dim % x.ndim
    space = tuple(axis for axis in range(1, x.ndim) if axis != channel_axis)
    g = np.sqrt((x**2).sum(space, keepdims=True))
    n = g / (g.mean(channel_axis, keepdims=True) + op.eps)
    return _affine(x * n, op.dim, weight, bias) + x


def _affine(y: Array, axis: int, weight: Array | None, bias: Array | None) -> Array:
    if weight is not None:
        y = y * along(weight, axis, y.ndim)
    return y if bias is None else y + along(bias, axis, y.ndim)
