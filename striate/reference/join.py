"""Where branches meet. Sizes of 1 are repeated, as NumPy does."""

from __future__ import annotations

import numpy as np

from striate import ops
from striate.reference.gradient import Gradients, gives, gradient
from striate.reference.meaning import Array, meaning


@meaning(ops.Add)
def add(op: ops.Add, x: Array, y: Array) -> Array:
    """x + y."""
    return x + y


@gradient(ops.Add)
def add_gradient(op: ops.Add, g: Array, x: Array, y: Array) -> Gradients:
    """dx = g;  dy = g."""
    return _shrunk(g, x, g, y)


@meaning(ops.Subtract)
def subtract(op: ops.Subtract, x: Array, y: Array) -> Array:
    """x - y."""
    return x - y


@gradient(ops.Subtract)
def subtract_gradient(op: ops.Subtract, g: Array, x: Array, y: Array) -> Gradients:
    """dx = g;  dy = -g."""
    return _shrunk(g, x, -g, y)


@meaning(ops.Multiply)
def multiply(op: ops.Multiply, x: Array, y: Array) -> Array:
    """x * y."""
    return x * y


@gradient(ops.Multiply)
def multiply_gradient(op: ops.Multiply, g: Array, x: Array, y: Array) -> Gradients:
    """dx = g * y;  dy = g * x: a gate that is shut lets nothing back."""
    return _shrunk(g * y, x, g * x, y)


@meaning(ops.Divide)
def divide(op: ops.Divide, x: Array, y: Array) -> Array:
    """x / y."""
    return x / y


@gradient(ops.Divide)
def divide_gradient(op: ops.Divide, g: Array, x: Array, y: Array) -> Gradients:
    """dx = g / y;  dy = -g * x / y^2."""
    return _shrunk(g / y, x, -g * x / y**2, y)


@meaning(ops.Power)
def power(op: ops.Power, x: Array, y: Array) -> Array:
    """x ** y; not a number where x < 0 and y is no integer."""
    return np.power(x, y)


@gradient(ops.Power)
def power_gradient(op: ops.Power, g: Array, x: Array, y: Array) -> Gradients:
    """dx = g * y * x^(y - 1);  dy = g * x^y * log x; both 0 where the power does not change: x^0, and 0^y."""
    dx = np.where(y == 0, 0, g * y * x ** (y - 1))
    dy = np.where((x == 0) & (y >= 0), 0, g * x**y * np.log(x))
    return _shrunk(dx, x, dy, y)


@meaning(ops.Maximum)
def maximum(op: ops.Maximum, x: Array, y: Array) -> Array:
    """The larger of x and y."""
    return np.maximum(x, y)


@gradient(ops.Maximum)
def maximum_gradient(op: ops.Maximum, g: Array, x: Array, y: Array) -> Gradients:
    """All of g goes to the larger of the two, a half to each of equals."""
    return _shrunk(g * ((x > y) + (x == y) / 2), x, g * ((x < y) + (x == y) / 2), y)


@meaning(ops.Minimum)
def minimum(op: ops.Minimum, x: Array, y: Array) -> Array:
    """The smaller of x and y."""
    return np.minimum(x, y)


@gradient(ops.Minimum)
def minimum_gradient(op: ops.Minimum, g: Array, x: Array, y: Array) -> Gradients:
    """All of g goes to the smaller of the two, a half to each of equals."""
    return _shrunk(g * ((x < y) + (x == y) / 2), x, g * ((x > y) + (x == y) / 2), y)


@meaning(ops.Concat)
def concat(op: ops.Concat, *branches: Array) -> Array:
    """One after the other along axis ``dim``."""
    return np.concatenate(branches, axis=op.dim)


@gradient(ops.Concat)
def concat_gradient(op: ops.Concat, g: Array, *branches: Array) -> Gradients:
    """Each branch gets its own part of g."""
    ends = np.cumsum([x.shape[op.dim] for x in branches])
    return gives(*np.split(g, ends[:-1], axis=op.dim))


def _shrunk(dx: Array, x: Array, dy: Array, y: Array) -> Gradients:
    """Values that were repeated to fit (sizes of 1, missing axes) get the sum over their copies."""
    return gives(_summed_to(dx, x.shape), _summed_to(dy, y.shape))


def _summed_to(g: Array, shape: tuple[int, ...]) -> Array:
    extra = g.ndim - len(shape)
    repeated = [axis for axis, size in enumerate(g.shape) if axis < extra or shape[axis - extra] != size]
    return g.sum(tuple(repeated), keepdims=True).reshape(shape)  # type: ignore[no-any-return]
