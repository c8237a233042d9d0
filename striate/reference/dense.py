"""Layers in which every output sees every input."""

from __future__ import annotations

from striate import ops
from striate.reference.gradient import Gradients, gives, gradient
from striate.reference.meaning import Array, meaning, require_channels


@meaning(ops.Linear)
def linear(op: ops.Linear, x: Array, weight: Array, bias: Array | None = None) -> Array:
    """y[n, k] = b[k] + sum over i of w[k, i] * x[n, i], over the last axis."""
    require_channels(x, op.in_features, -1, "in_features")
    y: Array = x @ weight.T
    return y if bias is None else y + bias


@gradient(ops.Linear)
def linear_gradient(
    op: ops.Linear, g: Array, x: Array, weight: Array, bias: Array | None = None
) -> Gradients:
    """dx[n, i] = sum over k of g[n, k] w[k, i];  dw[k, i] = sum over n of g[n, k] x[n, i];  db = sum of g."""
    samples, answers = x.reshape(-1, op.in_features), g.reshape(-1, op.out_features)
    return gives(g @ weight, weight=answers.T @ samples, bias=answers.sum(0))


@meaning(ops.RBF)
def radial_basis(op: ops.RBF, x: Array, weight: Array) -> Array:
    """y[n, k] = sum over i of (x[n, i] - w[k, i])^2, over the last axis."""
    require_channels(x, op.in_features, -1, "in_features")
    y: Array = ((x[..., None, :] - weight) ** 2).sum(-1)
    return y


@gradient(ops.RBF)
def radial_basis_gradient(op: ops.RBF, g: Array, x: Array, weight: Array) -> Gradients:
    """dx[n, i] = sum over k of 2 (x[n, i] - w[k, i]) g[n, k];  dw[k, i] = minus the same over n."""
    pull = 2 * (x[..., None, :] - weight) * g[..., None]
    return gives(pull.sum(-2), weight=-pull.reshape(-1, *weight.shape).sum(0))
