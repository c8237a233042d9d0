"""GELU, x times the share of a standard normal below x: exact, and two approximations of that share.

Hendrycks and Gimpel 2016, arXiv 1606.08415. How far the approximations are off is computed here: by
``gelu_error``, the tanh form at most 0.000473 (at x = 2.699 and -2.699), the sigmoid form 0.0203 (at 2.270).
"""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from striate import ops
from striate.reference.activation import logistic
from striate.reference.erf import erf
from striate.reference.gradient import derivative_of
from striate.reference.meaning import Array, meaning


@meaning(ops.GELU)
def gelu(op: ops.GELU, x: Array) -> Array:
    """x * share, where share is, by ``approximate``:

    none: (1 + erf(x / sqrt 2)) / 2;  tanh: (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2;
    sigmoid: sigmoid(1.702 x).
    """
    y: Array = x * _share(op, x)
    return y


@derivative_of(ops.GELU)
def gelu_derivative(op: ops.GELU, x: Array) -> Array:
    """share + x * density; density is the share's derivative, e^(-x^2 / 2) / sqrt(2 pi) for the exact one."""
    y: Array = _share(op, x) + x * _density(op, x)
    return y


def _share(op: ops.GELU, x: Array) -> Array:
    if op.approximate == "tanh":
        share = (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2
    elif op.approximate == "sigmoid":
        share = logistic(1.702 * x)
    else:
        share = (1 + erf(x / sqrt(2))) / 2
    return share


def _density(op: ops.GELU, x: Array) -> Array:
    if op.approximate == "tanh":
        slope = sqrt(2 / pi) * (1 + 3 * 0.044715 * x**2)
        density = (1 - np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)) ** 2) / 2 * slope
    elif op.approximate == "sigmoid":
        density = 1.702 * logistic(1.702 * x) * logistic(-1.702 * x)
    else:
        density = np.exp(-(x**2) / 2) / sqrt(2 * pi)
    return density


def gelu_error(approximate: str) -> tuple[float, float]:
    """(the largest |approximation - exact GELU| over all x, the x > 0 where it is), for "tanh" or "sigmoid".

    Beyond |x| = 10 all three are x or 0 to within 1e-6; inside, the difference is an even function of x that
    is sampled every 1e-4.
    """
    x = np.arange(0, 10, 1e-4)
    difference = np.abs(gelu(ops.GELU(approximate), x) - gelu(ops.GELU(), x))
    place = int(difference.argmax())
    return float(difference[place]), float(x[place])
