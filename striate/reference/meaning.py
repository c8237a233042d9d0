"""The register of meanings: which function says what a word computes, and how to call it.

A meaning is a function of the word, its inputs and its weights by role, and reads like the formula:

    @meaning(ops.Linear)
    def linear(op, x, weight, bias=None):
        return x @ weight.T + bias
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from striate.errors import ArgumentError, ShapeError, UnsupportedError
from striate.ops import Op
from striate.ops.weights import weight_shapes

Array = NDArray[Any]
Index = tuple[Any, ...]  # slices, integers and ...: what stands between brackets
Meaning = Callable[..., Any]  # (op, *inputs, **weights) -> one array, or a tuple of op.outputs arrays
MEANINGS: dict[type[Op], Meaning] = {}
M = TypeVar("M", bound=Meaning)


def meaning(*words: type[Op]) -> Callable[[M], M]:
    """Register a function as the meaning of these words; a word has one meaning only."""

    def enter(function: M) -> M:
        for word in words:
            if word in MEANINGS:
                raise ArgumentError(
                    f"{word.__name__} must have one meaning, got a second ({function.__name__}): remove one."
                )
            MEANINGS[word] = function
        return function

    return enter


def forward(op: Op, inputs: Sequence[Array], weights: Mapping[str, Array]) -> Array | tuple[Array, ...]:
    """What ``op`` computes from its inputs and its weights (role -> array), in the inputs' dtype.

    As everywhere in IEEE arithmetic, 1 / 0 is infinite and the root of -1 is not a number: no warning.

    Raises UnsupportedError for a word without a meaning, ArgumentError for a wrong number of inputs or
    missing weights, ShapeError for sizes that do not fit.
    """
    word = type(op).__name__
    function = MEANINGS.get(type(op))
    if function is None:
        raise UnsupportedError(f"{word} has no meaning in striate.reference yet: write one there.")
    if (op.arity is None and not inputs) or (op.arity is not None and len(inputs) != op.arity):
        wanted = "at least 1" if op.arity is None else op.arity
        raise ArgumentError(f"inputs of {word} must be {wanted}, got {len(inputs)}: pass that many arrays.")
    for role, shape in weight_shapes(op).items():
        if role not in weights:
            raise ArgumentError(f"weights of {word} must hold {role!r}, got {sorted(weights)}: add it.")
        if weights[role].shape != shape:
            raise ShapeError(
                f"{role} of {word} must have shape {shape}, got {weights[role].shape}: pass that tensor."
            )
    with np.errstate(all="ignore"):
        result: Array | tuple[Array, ...] = function(
            op, *inputs, **{role: weights[role] for role in op.roles}
        )
    return result


def along(vector: Array, axis: int, rank: int) -> Array:
    """A vector laid along one axis of a tensor with ``rank`` axes: (C,) -> (1, C, 1, 1)."""
    shape = [1] * rank
    shape[axis] = -1
    return vector.reshape(shape)


def summed_along(x: Array, axis: int) -> Array:
    """The sum over all axes but one: (N, C, H, W) -> (C,); the adjoint of ``along``."""
    sums: Array = np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1).sum(1)
    return sums


def require_channels(x: Array, channels: int, axis: int, argument: str) -> None:
    """Raise ShapeError unless ``x`` has ``channels`` entries on that axis."""
    if not -x.ndim <= axis < x.ndim or x.shape[axis] != channels:
        raise ShapeError(
            f"the input must have {argument}={channels} entries on axis {axis}, got shape {x.shape}: "
            f"change {argument}, or the layer before."
        )
