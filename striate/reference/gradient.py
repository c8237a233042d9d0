"""The register of gradients: which function says how the loss changes with a word's inputs and weights.

A gradient is a function of the word, of g = dL/dy (what a small change of each output value does to the
loss L), and of what the meaning gets; it gives dL/dx for each input and dL/dw for each weight:

    @gradient(ops.Linear)
    def linear_gradient(op, g, x, weight, bias=None):
        return gives(g @ weight, weight=g.T @ x, bias=g.sum(0))

Where a word acts on each value alone, its derivative f'(x) says it all, for dL/dx = g * f'(x):

    @derivative_of(ops.Tanh)
    def tanh_derivative(op, x):
        return 1 - np.tanh(x) ** 2

Where a function has a corner, or several values are the largest, PyTorch's choice is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from striate.errors import ArgumentError, ShapeError, UnsupportedError
from striate.ops import Op
from striate.reference.meaning import Array, forward

Gradients = tuple[tuple[Array | None, ...], dict[str, Array]]  # of the inputs, of the weights by role
Gradient = Callable[..., Gradients]  # (op, g, *inputs, **weights)
GRADIENTS: dict[type[Op], Gradient] = {}
VALUE_BY_VALUE: set[type[Op]] = set()  # words whose every output value depends on one input value
F = TypeVar("F", bound=Callable[..., Any])


def gradient(*words: type[Op]) -> Callable[[F], F]:
    """Register a function as the gradient of these words; a word has one gradient only."""

    def enter(function: F) -> F:
        for word in words:
            if word in GRADIENTS:
                raise ArgumentError(
                    f"{word.__name__} must have one gradient, got a second ({function.__name__}): remove one."
                )
            GRADIENTS[word] = function
        return function

    return enter


def derivative_of(*words: type[Op]) -> Callable[[F], F]:
    """Register f'(x) of words that act on each value alone; their gradient is g * f'(x)."""

    def enter(function: F) -> F:
        gradient(*words)(lambda op, g, x: gives(g * function(op, x)))
        VALUE_BY_VALUE.update(words)
        return function

    return enter


def gives(*inputs: Array | None, **weights: Array) -> Gradients:
    """What a gradient returns: dL/dx for each input (None: an integer has none), dL/dw for each role."""
    return inputs, weights


def backward(op: Op, inputs: Sequence[Array], weights: Mapping[str, Array], grad_output: Array) -> Gradients:
    """dL/d input for each input (None for indices) and dL/d weight for each role in use, given dL/d output.

    ``grad_output`` has the shape of the output; of the first one, where indices are the second.
    Each gradient has shape and dtype of what it belongs to. Dropout and normalisations act as they do when
    a network is used: running means and variances are weights like others.

    Raises what ``forward`` raises, UnsupportedError for a word without a gradient, and ShapeError for a
    ``grad_output`` of another shape.
    """
    result = forward(op, inputs, weights)
    output = result[0] if isinstance(result, tuple) else result
    if np.shape(grad_output) != output.shape:
        raise ShapeError(
            f"grad_output must have the output's shape {output.shape}, got {np.shape(grad_output)}: "
            "pass one number for each output value."
        )
    return chain(op, inputs, weights, grad_output)


def chain(op: Op, inputs: Sequence[Array], weights: Mapping[str, Array], g: Array) -> Gradients:
    """``backward`` of arguments that ``forward`` has accepted."""
    function = GRADIENTS.get(type(op))
    if function is None:
        raise UnsupportedError(
            f"{type(op).__name__} has no gradient in striate.reference yet: write one there."
        )
    with np.errstate(all="ignore"):
        to_inputs, to_weights = function(op, g, *inputs, **{role: weights[role] for role in op.roles})
    return (
        tuple(dx if dx is None else dx.astype(x.dtype) for dx, x in zip(to_inputs, inputs, strict=True)),
        {role: to_weights[role].astype(weights[role].dtype) for role in op.roles},
    )


def derivative(op: Op, x: Array, weights: Mapping[str, Array] | None = None) -> Array:
    """f'(x) of an activation or function that acts on each value alone, in x's dtype.

    ``weights``: PReLU's slope. Raises UnsupportedError for words whose outputs depend on several values,
    as softmax's do: their derivative is a matrix, ``backward`` multiplies by it.
    """
    if type(op) not in VALUE_BY_VALUE:
        raise UnsupportedError(
            f"{type(op).__name__} has no derivative value by value, its outputs depend on several inputs: "
            "use striate.reference.backward."
        )
    (dx,), _ = backward(op, [x], weights or {}, np.ones_like(x))
    return x if dx is None else dx


def transposed(matrix: Array, g: Array, axis: int) -> Array:
    """Where y = matrix x along one axis, dx = matrix^T g along it."""
    return np.moveaxis(np.tensordot(g, matrix, (axis, 0)), -1, axis)
