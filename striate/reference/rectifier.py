"""Activations made of straight pieces: each as its formula, with its derivative, below."""

from __future__ import annotations

import numpy as np

from striate import ops
from striate.reference.gradient import VALUE_BY_VALUE, Gradients, derivative_of, gives, gradient
from striate.reference.meaning import Array, along, meaning, summed_along


@meaning(ops.ReLU)
def relu(op: ops.ReLU, x: Array) -> Array:
    """max(0, x)."""
    return np.maximum(x, 0)


@derivative_of(ops.ReLU)
def relu_derivative(op: ops.ReLU, x: Array) -> Array:
    """1 where x > 0, 0 elsewhere; the corner, where there is none, counts as below."""
    return (x > 0).astype(x.dtype)


@meaning(ops.ReLU6)
def relu6(op: ops.ReLU6, x: Array) -> Array:
    """min(max(0, x), 6)."""
    return np.clip(x, 0, 6)


@derivative_of(ops.ReLU6)
def relu6_derivative(op: ops.ReLU6, x: Array) -> Array:
    """1 where 0 < x < 6, 0 elsewhere."""
    return ((x > 0) & (x < 6)).astype(x.dtype)


@meaning(ops.Clamp)
def clamp(op: ops.Clamp, x: Array) -> Array:
    """min(max(x, min_val), max_val)."""
    return np.clip(x, op.min_val, op.max_val)


@derivative_of(ops.Clamp)
def clamp_derivative(op: ops.Clamp, x: Array) -> Array:
    """1 where min_val <= x <= max_val, 0 elsewhere; at the bounds 1, as torch.clamp has it (Hardtanh: 0)."""
    inside: Array = x == clamp(op, x)
    return inside.astype(x.dtype)


@meaning(ops.LeakyReLU)
def leaky_relu(op: ops.LeakyReLU, x: Array) -> Array:
    """x where x >= 0, slope * x elsewhere."""
    return np.where(x >= 0, x, op.negative_slope * x)


@derivative_of(ops.LeakyReLU)
def leaky_relu_derivative(op: ops.LeakyReLU, x: Array) -> Array:
    """1 where x > 0, slope elsewhere."""
    return np.where(x > 0, 1, op.negative_slope)


@meaning(ops.PReLU)
def prelu(op: ops.PReLU, x: Array, weight: Array) -> Array:
    """x where x >= 0, weight[c] * x elsewhere; one weight serves all channels."""
    return np.where(x >= 0, x, _slope(op, x, weight) * x)


@gradient(ops.PReLU)
def prelu_gradient(op: ops.PReLU, g: Array, x: Array, weight: Array) -> Gradients:
    """dx = g where x > 0, weight[c] * g elsewhere;  dweight[c] = sum of g * x where x <= 0."""
    dx = np.where(x > 0, g, _slope(op, x, weight) * g)
    below = np.where(x > 0, 0, g * x)
    return gives(dx, weight=below.sum().reshape(1) if op.num_parameters == 1 else summed_along(below, 1))


VALUE_BY_VALUE.add(ops.PReLU)


def _slope(op: ops.PReLU, x: Array, weight: Array) -> Array:
    return weight if op.num_parameters == 1 else along(weight, 1, x.ndim)


@meaning(ops.HardSigmoid)
def hard_sigmoid(op: ops.HardSigmoid, x: Array) -> Array:
    """min(max(x + 3, 0), 6) / 6."""
    y: Array = np.clip(x + 3, 0, 6) / 6
    return y


@derivative_of(ops.HardSigmoid)
def hard_sigmoid_derivative(op: ops.HardSigmoid, x: Array) -> Array:
    """1/6 where -3 < x < 3, 0 elsewhere."""
    return np.where(np.abs(x) < 3, 1 / 6, 0)


@meaning(ops.HardSwish)
def hard_swish(op: ops.HardSwish, x: Array) -> Array:
    """x * min(max(x + 3, 0), 6) / 6."""
    y: Array = x * np.clip(x + 3, 0, 6) / 6
    return y


@derivative_of(ops.HardSwish)
def hard_swish_derivative(op: ops.HardSwish, x: Array) -> Array:
    """0 up to -3, (2x + 3) / 6 up to 3, then 1."""
    return np.where(x <= -3, 0, np.where(x < 3, (2 * x + 3) / 6, 1))
