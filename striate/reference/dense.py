"""Layers in which every output sees every input."""

from __future__ import annotations

from striate import ops
from striate.reference.meaning import Array, meaning, require_channels


@meaning(ops.Linear)
def linear(op: ops.Linear, x: Array, weight: Array, bias: Array | None = None) -> Array:
    """y[n, k] = b[k] + sum over i of w[k, i] * x[n, i], over the last axis."""
    require_channels(x, op.in_features, -1, "in_features")
    y: Array = x @ weight.T
    return y if bias is None else y + bias


@meaning(ops.RBF)
def radial_basis(op: ops.RBF, x: Array, weight: Array) -> Array:
    """y[n, k] = sum over i of (x[n, i] - w[k, i])^2, over the last axis."""
    require_channels(x, op.in_features, -1, "in_features")
    y: Array = ((x[..., None, :] - weight) ** 2).sum(-1)
    return y
