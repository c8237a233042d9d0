"""Activations that bend smoothly: each as its formula, with its derivative below. (GELU has its own file.)"""

from __future__ import annotations

import numpy as np

from striate import ops
from striate.reference.gradient import derivative_of
from striate.reference.meaning import Array, meaning


@meaning(ops.Sigmoid)
def sigmoid(op: ops.Sigmoid, x: Array) -> Array:
    """1 / (1 + e^-x)."""
    return logistic(x)


def logistic(x: Array) -> Array:
    """1 / (1 + e^-x) for x >= 0, the equal e^x / (1 + e^x) below: neither overflows."""
    e = np.exp(-np.abs(x))
    y: Array = np.where(x >= 0, np.ones_like(e), e) / (1 + e)
    return y


@derivative_of(ops.Sigmoid)
def sigmoid_derivative(op: ops.Sigmoid, x: Array) -> Array:
    """f(x) (1 - f(x)), at most 1/4; 1 - f(x) is f(-x), which keeps its digits where f is nearly 1."""
    return logistic(x) * logistic(-x)


@meaning(ops.Tanh)
def tanh(op: ops.Tanh, x: Array) -> Array:
    """(e^x - e^-x) / (e^x + e^-x)."""
    return np.tanh(x)


@derivative_of(ops.Tanh)
def tanh_derivative(op: ops.Tanh, x: Array) -> Array:
    """1 - f(x)^2, at most 1."""
    return 1 - np.tanh(x) ** 2


@meaning(ops.SiLU)
def silu(op: ops.SiLU, x: Array) -> Array:
    """x * sigmoid(x)."""
    y: Array = x * logistic(x)
    return y


@derivative_of(ops.SiLU)
def silu_derivative(op: ops.SiLU, x: Array) -> Array:
    """sigmoid(x) (1 + x (1 - sigmoid(x)))."""
    y: Array = logistic(x) * (1 + x * logistic(-x))
    return y


@meaning(ops.ELU)
def elu(op: ops.ELU, x: Array) -> Array:
    """x where x > 0, alpha * (e^x - 1) elsewhere."""
    return np.where(x > 0, x, op.alpha * np.expm1(np.minimum(x, 0)))


@derivative_of(ops.ELU)
def elu_derivative(op: ops.ELU, x: Array) -> Array:
    """1 where x > 0, f(x) + alpha = alpha * e^x elsewhere."""
    return np.where(x > 0, 1, op.alpha * np.exp(np.minimum(x, 0)))


SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


@meaning(ops.SELU)
def selu(op: ops.SELU, x: Array) -> Array:
    """scale * x where x > 0, scale * alpha * (e^x - 1) elsewhere."""
    y: Array = SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))
    return y


@derivative_of(ops.SELU)
def selu_derivative(op: ops.SELU, x: Array) -> Array:
    """scale where x > 0, scale * alpha * e^x elsewhere."""
    y: Array = SELU_SCALE * np.where(x > 0, 1, SELU_ALPHA * np.exp(np.minimum(x, 0)))
    return y
