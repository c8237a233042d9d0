"""Where branches meet. Sizes of 1 are repeated, as NumPy does."""

from __future__ import annotations

import numpy as np

from striate import ops
from striate.reference.meaning import Array, meaning


@meaning(ops.Add)
def add(op: ops.Add, x: Array, y: Array) -> Array:
    """x + y."""
    return x + y


@meaning(ops.Subtract)
def subtract(op: ops.Subtract, x: Array, y: Array) -> Array:
    """x - y."""
    return x - y


@meaning(ops.Multiply)
def multiply(op: ops.Multiply, x: Array, y: Array) -> Array:
    """x * y."""
    return x * y


@meaning(ops.Divide)
def divide(op: ops.Divide, x: Array, y: Array) -> Array:
    """x / y."""
    return x / y


@meaning(ops.Power)
def power(op: ops.Power, x: Array, y: Array) -> Array:
    """x ** y; not a number where x < 0 and y is no integer."""
    return np.power(x, y)


@meaning(ops.Maximum)
def maximum(op: ops.Maximum, x: Array, y: Array) -> Array:
    """The larger of x and y."""
    return np.maximum(x, y)


@meaning(ops.Minimum)
def minimum(op: ops.Minimum, x: Array, y: Array) -> Array:
    """The smaller of x and y."""
    return np.minimum(x, y)


@meaning(ops.Concat)
def concat(op: ops.Concat, *branches: Array) -> Array:
    """One after the other along axis ``dim``."""
    return np.concatenate(branches, axis=op.dim)
