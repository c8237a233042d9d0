"""What acts on each value alone, and constants."""

from __future__ import annotations

import numpy as np

from striate import ops
from striate.reference.meaning import Array, along, meaning, require_channels


@meaning(ops.Identity, ops.Dropout)
def identity(op: ops.Op, x: Array) -> Array:
    """y = x. Dropout acts while training only: these are networks in use."""
    return x


@meaning(ops.Constant)
def constant(op: ops.Constant, value: Array) -> Array:
    """The stored tensor, whatever the input."""
    return value


@meaning(ops.Scale)
def scale(op: ops.Scale, x: Array, weight: Array, bias: Array | None = None) -> Array:
    """y = weight[c] * x + bias[c], c the index on axis ``dim``."""
    require_channels(x, op.num_channels, op.dim, "num_channels")
    y = along(weight, op.dim, x.ndim) * x
    return y if bias is None else y + along(bias, op.dim, x.ndim)


@meaning(ops.Negate)
def negate(op: ops.Negate, x: Array) -> Array:
    """-x."""
    return -x


@meaning(ops.Absolute)
def absolute(op: ops.Absolute, x: Array) -> Array:
    """|x|."""
    return np.abs(x)


@meaning(ops.SquareRoot)
def square_root(op: ops.SquareRoot, x: Array) -> Array:
    """sqrt(x), not a number below 0."""
    return np.sqrt(x)


@meaning(ops.Exponential)
def exponential(op: ops.Exponential, x: Array) -> Array:
    """e^x."""
    return np.exp(x)


@meaning(ops.Logarithm)
def logarithm(op: ops.Logarithm, x: Array) -> Array:
    """log(x): minus infinity at 0, not a number below."""
    return np.log(x)
