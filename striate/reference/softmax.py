"""Softmax: numbers become shares of one; every output depends on every input along the axis."""

from __future__ import annotations

import numpy as np

from striate import ops
from striate.reference.gradient import Gradients, gives, gradient
from striate.reference.meaning import Array, meaning


@meaning(ops.Softmax)
def softmax(op: ops.Softmax, x: Array) -> Array:
    """e^x / sum of e^x along ``dim``; the largest x is subtracted first, so that nothing overflows."""
    e = np.exp(x - x.max(op.dim, keepdims=True))
    y: Array = e / e.sum(op.dim, keepdims=True)
    return y


@gradient(ops.Softmax)
def softmax_gradient(op: ops.Softmax, g: Array, x: Array) -> Gradients:
    """dx[i] = y[i] * (g[i] - sum over j of g[j] y[j]): what goes to one is taken from the others."""
    y = softmax(op, x)
    return gives(y * (g - (g * y).sum(op.dim, keepdims=True)))


@meaning(ops.LogSoftmax)
def log_softmax(op: ops.LogSoftmax, x: Array) -> Array:
    """x - log of the sum of e^x along ``dim``, the largest x subtracted first."""
    shifted = x - x.max(op.dim, keepdims=True)
    y: Array = shifted - np.log(np.exp(shifted).sum(op.dim, keepdims=True))
    return y


@gradient(ops.LogSoftmax)
def log_softmax_gradient(op: ops.LogSoftmax, g: Array, x: Array) -> Gradients:
    """dx[i] = g[i] - softmax(x)[i] * sum of g: in cross-entropy, softmax minus the class."""
    return gives(g - softmax(ops.Softmax(op.dim), x) * g.sum(op.dim, keepdims=True))
