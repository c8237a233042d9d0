"""Normalisations, as they act when a network is used."""

from __future__ import annotations

import numpy as np

from striate import ops
from striate.reference.gradient import Gradients, gives, gradient
from striate.reference.meaning import Array, along, meaning, require_channels, summed_along
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


@gradient(ops.BatchNorm)
def batch_norm_gradient(
    op: ops.BatchNorm,
    g: Array,
    x: Array,
    running_mean: Array,
    running_var: Array,
    weight: Array | None = None,
    bias: Array | None = None,
) -> Gradients:
    """With s = sqrt(var + eps) and z = (x - mean) / s: dx = g * weight / s;  dweight = sum of g * z;
    dbias = sum of g;  dmean = -sum of dx;  dvar = -sum of dx * z / (2 s).
    """
    s = along(np.sqrt(running_var + op.eps), 1, x.ndim)
    z = (x - along(running_mean, 1, x.ndim)) / s
    dx = _affine(g, 1, weight, None) / s
    return gives(
        dx,
        running_mean=-summed_along(dx, 1),
        running_var=-summed_along(dx * z / (2 * s), 1),
        weight=summed_along(g * z, 1),
        bias=summed_along(g, 1),
    )


@meaning(ops.LayerNorm)
def layer_norm(op: ops.LayerNorm, x: Array, weight: Array | None = None, bias: Array | None = None) -> Array:
    """y = (x - m) / sqrt(v + eps) * weight[c] + bias[c]; m, v: mean and variance over the channels."""
    require_channels(x, op.num_channels, op.dim, "num_channels")
    centred = x - x.mean(op.dim, keepdims=True)
    y = centred / np.sqrt((centred**2).mean(op.dim, keepdims=True) + op.eps)
    return _affine(y, op.dim, weight, bias)


@gradient(ops.LayerNorm)
def layer_norm_gradient(
    op: ops.LayerNorm, g: Array, x: Array, weight: Array | None = None, bias: Array | None = None
) -> Gradients:
    """With z = (x - m) / s, s = sqrt(v + eps), h = g * weight: dx = (h - mean of h - z * mean of h * z) / s.

    Mean and variance move with x: a change common to all channels, or along z, does not reach the output.
    """
    centred = x - x.mean(op.dim, keepdims=True)
    s = np.sqrt((centred**2).mean(op.dim, keepdims=True) + op.eps)
    z, h = centred / s, _affine(g, op.dim, weight, None)
    dx = (h - h.mean(op.dim, keepdims=True) - z * (h * z).mean(op.dim, keepdims=True)) / s
    return gives(dx, weight=summed_along(g * z, op.dim), bias=summed_along(g, op.dim))


@meaning(ops.LocalResponseNorm)
def local_response_norm(op: ops.LocalResponseNorm, x: Array) -> Array:
    """y[n, c] = x[n, c] / (k + alpha / size * sum of x[n, j]^2)^beta: ``size`` channels j from c - size//2"""
    require_channels(x, x.shape[1] if x.ndim > 1 else 1, 1, "channels")
    energy = _over_neighbours(x**2, op.size // 2, (op.size - 1) // 2)
    return x / (op.k + op.alpha / op.size * energy) ** op.beta


@gradient(ops.LocalResponseNorm)
def local_response_norm_gradient(op: ops.LocalResponseNorm, g: Array, x: Array) -> Gradients:
    """With y = x / d^beta, and the sum over the channels c that see j:

    dx[j] = g[j] / d[j]^beta - 2 beta alpha / size * x[j] * sum of g[c] x[c] / d[c]^(beta + 1).
    """
    before, after = op.size // 2, (op.size - 1) // 2
    d = op.k + op.alpha / op.size * _over_neighbours(x**2, before, after)
    inhibited = _over_neighbours(g * x / d ** (op.beta + 1), after, before)  # those that see j
    return gives(g / d**op.beta - 2 * op.beta * op.alpha / op.size * x * inhibited)


def _over_neighbours(x: Array, before: int, after: int) -> Array:
    """y[n, c] = sum of x[n, j] over the channels j from c - before to c + after."""
    channels = x.shape[1]
    row = padded(np.moveaxis(x, 1, -1), [(before, after)])
    y: Array = sum(row[..., j : j + channels] for j in range(before + 1 + after))  # type: ignore[assignment]
    return np.moveaxis(y, -1, 1)


@meaning(ops.GlobalResponseNorm)
def global_response_norm(op: ops.GlobalResponseNorm, x: Array, weight: Array, bias: Array) -> Array:
    """y = weight[c] * x * n + bias[c] + x with g = |x|_2 over space and n = g / (mean of g over c + eps)."""
    require_channels(x, op.num_channels, op.dim, "num_channels")
    g = _norms(op, x)
    n = g / (g.mean(op.dim, keepdims=True) + op.eps)
    return _affine(x * n, op.dim, weight, bias) + x


@gradient(ops.GlobalResponseNorm)
def global_response_norm_gradient(
    op: ops.GlobalResponseNorm, g: Array, x: Array, weight: Array, bias: Array
) -> Gradients:
    """With r = |x|_2, m = mean of r over c + eps, n = r / m: dx = g * (weight * n + 1) + dr * x / r, where
    dn[c] = weight[c] * sum over space of g * x and dr = dn / m - mean over c of dn * r / m^2.
    """
    r = _norms(op, x)
    m = r.mean(op.dim, keepdims=True) + op.eps
    scale = along(weight, op.dim, x.ndim)
    dn = scale * (g * x).sum(_space(op, x), keepdims=True)
    dr = dn / m - (dn * r).mean(op.dim, keepdims=True) / m**2
    direction = x / np.where(r == 0, 1, r)  # a map of zeros has none
    return gives(
        g * (scale * r / m + 1) + dr * direction,
        weight=summed_along(g * x * r / m, op.dim),
        bias=summed_along(g, op.dim),
    )


def _space(op: ops.GlobalResponseNorm, x: Array) -> tuple[int, ...]:
    return tuple(axis for axis in range(1, x.ndim) if axis != op.dim % x.ndim)


def _norms(op: ops.GlobalResponseNorm, x: Array) -> Array:
    return np.sqrt((x**2).sum(_space(op, x), keepdims=True))  # type: ignore[no-any-return]


def _affine(y: Array, axis: int, weight: Array | None, bias: Array | None) -> Array:
    if weight is not None:
        y = y * along(weight, axis, y.ndim)
    return y if bias is None else y + along(bias, axis, y.ndim)
