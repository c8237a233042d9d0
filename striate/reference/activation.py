"""The activations of the field, each as its formula."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from striate import ops
from striate.reference.erf import erf
from striate.reference.meaning import Array, along, meaning


@meaning(ops.Sigmoid)
def sigmoid(op: ops.Sigmoid, x: Array) -> Array:
    """1 / (1 + e^-x)."""
    return _sigmoid(x)


def _sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x) for x >= 0, the equal e^x / (1 + e^x) below: neither overflows."""
    e = np.exp(-np.abs(x))
    y: Array = np.where(x >= 0, np.ones_like(e), e) / (1 + e)
    return y


@meaning(ops.Tanh)
def tanh(op: ops.Tanh, x: Array) -> Array:
    """(e^x - e^-x) / (e^x + e^-x)."""
    return np.tanh(x)


@meaning(ops.ReLU)
def relu(op: ops.ReLU, x: Array) -> Array:
    """max(0, x)."""
    return np.maximum(x, 0)


@meaning(ops.ReLU6)
def relu6(op: ops.ReLU6, x: Array) -> Array:
    """min(max(0, x), 6)."""
    return np.clip(x, 0, 6)


@meaning(ops.Clamp)
def clamp(op: ops.Clamp, x: Array) -> Array:
    """min(max(x, min_val), max_val)."""
    return np.clip(x, op.min_val, op.max_val)


@meaning(ops.LeakyReLU)
def leaky_relu(op: ops.LeakyReLU, x: Array) -> Array:
    """x where x >= 0, slope * x elsewhere."""
    return np.where(x >= 0, x, op.negative_slope * x)


@meaning(ops.PReLU)
def prelu(op: ops.PReLU, x: Array, weight: Array) -> Array:
    """x where x >= 0, weight[c] * x elsewhere; one weight serves all channels."""
    slope = weight if op.num_parameters == 1 else along(weight, 1, x.ndim)
    return np.where(x >= 0, x, slope * x)


@meaning(ops.ELU)
def elu(op: ops.ELU, x: Array) -> Array:
    """x where x > 0, alpha * (e^x - 1) elsewhere."""
    return np.where(x > 0, x, op.alpha * np.expm1(np.minimum(x, 0)))


SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


@meaning(ops.SELU)
def selu(op: ops.SELU, x: Array) -> Array:
    """scale * x where x > 0, scale * alpha * (e^x - 1) elsewhere."""
    y: Array = SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))
    return y


@meaning(ops.GELU)
def gelu(op: ops.GELU, x: Array) -> Array:
    """x times the share of a standard normal below x: (1 + erf(x / sqrt 2)) / 2, or an approximation."""
    if op.approximate == "tanh":
        below = (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2
    elif op.approximate == "sigmoid":
        below = _sigmoid(1.702 * x)
    else:
        below = (1 + erf(x / sqrt(2))) / 2
    y: Array = x * below
    return y


@meaning(ops.SiLU)
def silu(op: ops.SiLU, x: Array) -> Array:
    """x * sigmoid(x)."""
    y: Array = x * _sigmoid(x)
    return y


@meaning(ops.HardSigmoid)
def hard_sigmoid(op: ops.HardSigmoid, x: Array) -> Array:
    """min(max(x + 3, 0), 6) / 6."""
    y: Array = np.clip(x + 3, 0, 6) / 6
    return y


@meaning(ops.HardSwish)
def hard_swish(op: ops.HardSwish, x: Array) -> Array:
    """x * min(max(x + 3, 0), 6) / 6."""
    y: Array = x * np.clip(x + 3, 0, 6) / 6
    return y


@meaning(ops.Softmax)
def softmax(op: ops.Softmax, x: Array) -> Array:
    """e^x / sum of e^x along ``dim``; the largest x is subtracted first, so that nothing overflows."""
    e = np.exp(x - x.max(op.dim, keepdims=True))
    y: Array = e / e.sum(op.dim, keepdims=True)
    return y


@meaning(ops.LogSoftmax)
def log_softmax(op: ops.LogSoftmax, x: Array) -> Array:
    """x - log of the sum of e^x along ``dim``, the largest x subtracted first."""
    shifted = x - x.max(op.dim, keepdims=True)
    y: Array = shifted - np.log(np.exp(shifted).sum(op.dim, keepdims=True))
    return y
