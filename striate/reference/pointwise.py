"""What acts on each value alone, and constants; below each meaning its derivative."""

from __future__ import annotations

import numpy as np

from striate import ops
from striate.reference.gradient import Gradients, derivative_of, gives, gradient
from striate.reference.meaning import Array, along, meaning, require_channels, summed_along


@meaning(ops.Identity, ops.Dropout)
def identity(op: ops.Op, x: Array) -> Array:
    """y = x. Dropout acts while training only: these are networks in use."""
    return x


@derivative_of(ops.Identity, ops.Dropout)
def identity_derivative(op: ops.Op, x: Array) -> Array:
    """1."""
    return np.ones_like(x)


@meaning(ops.Constant)
def constant(op: ops.Constant, value: Array) -> Array:
    """The stored tensor, whatever the input."""
    return value


@gradient(ops.Constant)
def constant_gradient(op: ops.Constant, g: Array, value: Array) -> Gradients:
    """All of g."""
    return gives(value=g)


@meaning(ops.Scale)
def scale(op: ops.Scale, x: Array, weight: Array, bias: Array | None = None) -> Array:
    """y = weight[c] * x + bias[c], c the index on axis ``dim``."""
    require_channels(x, op.num_channels, op.dim, "num_channels")
    y = along(weight, op.dim, x.ndim) * x
    return y if bias is None else y + along(bias, op.dim, x.ndim)


@gradient(ops.Scale)
def scale_gradient(op: ops.Scale, g: Array, x: Array, weight: Array, bias: Array | None = None) -> Gradients:
    """dx = weight[c] * g;  dweight[c] = sum of g * x;  dbias[c] = sum of g."""
    return gives(
        along(weight, op.dim, x.ndim) * g,
        weight=summed_along(g * x, op.dim),
        bias=summed_along(g, op.dim),
    )


@meaning(ops.FakeQuantize)
def fake_quantize(op: ops.FakeQuantize, x: Array, scale: Array, zero_point: Array) -> Array:
    """y = (clamp(round(x / s) + z, quant_min, quant_max) - z) * s; halves go to the even integer."""
    s, z = _on_channels(op, x, scale), _on_channels(op, x, zero_point)
    y: Array = (np.clip(np.round(x / s) + z, op.quant_min, op.quant_max) - z) * s
    return y


@gradient(ops.FakeQuantize)
def fake_quantize_gradient(
    op: ops.FakeQuantize, g: Array, x: Array, scale: Array, zero_point: Array
) -> Gradients:
    """Straight through: rounding counts as the identity (Bengio et al. 2013, arXiv 1308.3432).

    Inside the range dx = g and ds = g (round(x / s) - x / s), as in Esser et al. 2019, arXiv 1902.08153;
    outside, y = (limit - z) s: dx = 0, ds = g (limit - z), dz = -g s.
    """
    s, z = _on_channels(op, x, scale), _on_channels(op, x, zero_point)
    places = np.round(x / s) + z
    inside = (places >= op.quant_min) & (places <= op.quant_max)
    to_scale = np.where(inside, np.round(x / s) - x / s, np.clip(places, op.quant_min, op.quant_max) - z)
    to_point = np.where(inside, 0, -s)
    if op.num_channels == 1:
        return gives(
            g * inside, scale=(g * to_scale).sum().reshape(1), zero_point=(g * to_point).sum().reshape(1)
        )
    sums = [summed_along(g * part, op.dim) for part in (to_scale, to_point)]
    return gives(g * inside, scale=sums[0], zero_point=sums[1])


def _on_channels(op: ops.FakeQuantize, x: Array, vector: Array) -> Array:
    """One number for all values, or one for each channel."""
    if op.num_channels == 1:
        return vector
    require_channels(x, op.num_channels, op.dim, "num_channels")
    return along(vector, op.dim, x.ndim)


@meaning(ops.Negate)
def negate(op: ops.Negate, x: Array) -> Array:
    """-x."""
    return -x


@derivative_of(ops.Negate)
def negate_derivative(op: ops.Negate, x: Array) -> Array:
    """-1."""
    return -np.ones_like(x)


@meaning(ops.Absolute)
def absolute(op: ops.Absolute, x: Array) -> Array:
    """|x|."""
    return np.abs(x)


@derivative_of(ops.Absolute)
def absolute_derivative(op: ops.Absolute, x: Array) -> Array:
    """The sign of x, 0 at the corner."""
    return np.sign(x)


@meaning(ops.SquareRoot)
def square_root(op: ops.SquareRoot, x: Array) -> Array:
    """sqrt(x), not a number below 0."""
    return np.sqrt(x)


@derivative_of(ops.SquareRoot)
def square_root_derivative(op: ops.SquareRoot, x: Array) -> Array:
    """1 / (2 sqrt(x)), infinite at 0."""
    y: Array = 1 / (2 * np.sqrt(x))
    return y


@meaning(ops.Exponential)
def exponential(op: ops.Exponential, x: Array) -> Array:
    """e^x."""
    return np.exp(x)


@derivative_of(ops.Exponential)
def exponential_derivative(op: ops.Exponential, x: Array) -> Array:
    """e^x, itself."""
    return np.exp(x)


@meaning(ops.Logarithm)
def logarithm(op: ops.Logarithm, x: Array) -> Array:
    """log(x): minus infinity at 0, not a number below."""
    return np.log(x)


@derivative_of(ops.Logarithm)
def logarithm_derivative(op: ops.Logarithm, x: Array) -> Array:
    """1 / x."""
    return 1 / x
