"""How weights are laid out for kernels: outputs in groups of vectors, biases in whole vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def in_groups(values: Array, wide: int) -> Array:
    """[...][output] as [group][...][output of the group], ``wide`` outputs each; the last group ends with
    the last output, and so may repeat some of the group before it."""
    outputs = values.shape[-1]
    firsts = [min(first, outputs - wide) for first in range(0, outputs, wide)]
    return np.stack([values[..., first : first + wide] for first in firsts])


def filled_up(bias: Array | None, size: int) -> Array:
    """The bias of ``size`` outputs, 0 beyond its last, and everywhere where there is none."""
    full = np.zeros(size, np.float32)
    if bias is not None:
        full[: len(bias)] = bias
    return full
