"""Places in a flattened plane: what ``return_indices`` gives, unpooling takes, and gradients travel by."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from striate.reference.meaning import Array


def flat(x: Array, axes: int) -> Array:
    """The last ``axes`` axes as one; reshape's -1 would not do for an empty batch."""
    return x.reshape(*x.shape[:-axes], prod(x.shape[-axes:]))


def added_at(places: Array, g: Array, shape: Sequence[int]) -> Array:
    """(N, C, *sizes) of zeros, to which g[n, c, i] is added at places[n, c, i]; -1 is nowhere."""
    axes = g.ndim - 2
    y = np.zeros((*shape[:2], prod(shape[2:])), g.dtype)
    n, c = np.ogrid[: shape[0], : shape[1]]
    somewhere = places >= 0
    np.add.at(y, (n[..., None], c[..., None], flat(places * somewhere, axes)), flat(g * somewhere, axes))
    return y.reshape(shape)
