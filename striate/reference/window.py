"""Sliding windows as a view: nothing is copied, and every window word is written over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from striate.errors import ShapeError
from striate.reference.meaning import Array, Index


def windows(x: Array, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Array:
    """(N, C, *sizes) -> a view (N, C, *positions, *kernel) whose entry [n, c, i, u] is x[n, c, s*i + d*u].

    The number of positions on an axis is floor((W - d*(k - 1) - 1) / s) + 1.
    """
    axes = len(kernel)
    span = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    for axis, (size, needed) in enumerate(zip(x.shape[2:], span, strict=True), start=2):
        if size < needed:
            raise ShapeError(
                f"the window must fit into the padded input, it spans {needed} values and axis {axis} has "
                f"{size}: use a larger image, more padding or a smaller kernel."
            )
    view = sliding_window_view(x, span, axis=tuple(range(2, 2 + axes)))
    steps: Index = (..., *[slice(None, None, step) for step in (*stride, *dilation)])
    result: Array = view[steps]
    return result


def taps(view: Array, axes: int) -> Iterator[Array]:
    """For each place u in the kernel, the values (N, C, *positions) that all windows see there."""
    for u in np.ndindex(view.shape[-axes:]):
        yield view[(..., *u)]


def landings(
    positions: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], Index]]:
    """For each place u in the kernel, where its values stand in the picture: s*i + d*u for all positions i.

    ``y[at] += values`` for each is the adjoint of ``windows``: what a window took goes back where it was.
    """
    for u in np.ndindex(*kernel):
        at = [
            slice(d * tap, d * tap + s * (count - 1) + 1, s)
            for tap, count, s, d in zip(u, positions, stride, dilation, strict=True)
        ]
        yield u, (..., *at)


def require_axes(x: Array, axes: int) -> None:
    """Raise ShapeError unless ``x`` is (N, C, and ``axes`` sizes)."""
    if x.ndim != axes + 2:
        raise ShapeError(
            f"the input must have {axes + 2} axes (N, C and {axes} spatial), got shape {x.shape}: "
            "reshape it, or use the word for as many axes as it has."
        )
