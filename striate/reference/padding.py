"""Padding: what stands beyond the edge of a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from striate import ops
from striate.errors import ShapeError
from striate.reference.gradient import Gradients, gives, gradient, transposed
from striate.reference.meaning import Array, meaning

_NUMPY_MODE = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@meaning(ops.Pad)
def pad(op: ops.Pad, x: Array) -> Array:
    """The last axes grow by (before, after) values each; negative numbers cut."""
    return padded(x, op.padding, op.mode, op.value)


@gradient(ops.Pad)
def pad_gradient(op: ops.Pad, g: Array, x: Array) -> Gradients:
    """Each value gets what arrives at its copies; the filling, and what was cut, gets nothing."""
    return gives(unpadded(g, x.shape, op.padding, op.mode))


def padded(x: Array, pads: Sequence[tuple[int, int]], mode: str = "zeros", value: float = 0.0) -> Array:
    """``x`` with its last ``len(pads)`` axes grown, here a b c by (2, 2):

    zeros 0 0 a b c 0 0, reflect c b a b c b a, replicate a a a b c c c, circular b c a b c a b.
    """
    if x.ndim < len(pads):
        raise ShapeError(f"padding must name at most {x.ndim} axes, got {len(pads)}: remove the first.")
    _check(x.shape[x.ndim - len(pads) :], pads, mode)
    sides = [(0, 0)] * (x.ndim - len(pads)) + list(pads)
    if not any(before or after for before, after in sides):
        return x
    grown = [(max(before, 0), max(after, 0)) for before, after in sides]
    kept = tuple(slice(max(-b, 0), size - max(-a, 0)) for (b, a), size in zip(sides, x.shape, strict=True))
    if mode == "zeros":
        return np.pad(x[kept], grown, constant_values=value)
    return np.pad(x, grown, mode=_NUMPY_MODE[mode])  # type: ignore[call-overload, no-any-return]


def unpadded(g: Array, shape: Sequence[int], pads: Sequence[tuple[int, int]], mode: str = "zeros") -> Array:
    """The adjoint of ``padded`` on an input of this shape: what arrives at copies of a value is added up.

    On each axis, padding is a matrix of ones and zeros: what it makes of the unit vectors.
    """
    for axis, sides in enumerate(pads, start=g.ndim - len(pads)):
        if sides != (0, 0):
            columns = padded(
                np.eye(shape[axis], dtype=g.dtype), [sides], mode
            )  # one for each entry of the result
            g = transposed(columns.T, g, axis)
    return g


def _check(sizes: Sequence[int], pads: Sequence[tuple[int, int]], mode: str) -> None:
    """A mirror image has no more pixels than the image; a crop leaves at least one."""
    for size, (before, after) in zip(sizes, pads, strict=True):
        largest = {"reflect": size - 1, "circular": size}.get(mode)
        if largest is not None and max(before, after) > largest:
            raise ShapeError(
                f"padding must be at most {largest} for mode {mode!r} on an axis of size {size}, "
                f"got {(before, after)}: pad less, or use mode 'zeros'."
            )
        if size + before + after < 1 or min(before, 0) + min(after, 0) + size < 0:
            raise ShapeError(
                f"padding must leave at least 1 of the {size} values, got {(before, after)}: cut less."
            )
        if mode == "replicate" and size == 0:
            raise ShapeError("padding must have an edge to repeat, got an axis of size 0: feed an image.")
