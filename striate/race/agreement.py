"""Whether all compute the same: the relative error of each answer against the definition in float64."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

ALLOWED = 1e-4  # relative; float32 alone stays below 1e-5 in most networks


def errors(answers: Mapping[str, NDArray[np.float32]], expected: NDArray[np.float64]) -> dict[str, float]:
    """Relative L2 error of the first and the last image of each answer; infinite for another shape.

    ``expected``: the definition's answer for the first and the last image, two rows (one, of one image).
    """
    found = {}
    for name, answer in answers.items():
        rows = np.asarray(answer)[[0, -1]] if len(answer) > 1 else np.asarray(answer)
        same = rows.shape == expected.shape and bool(np.isfinite(rows).all())
        size = float(np.linalg.norm(expected)) or 1.0
        found[name] = float(np.linalg.norm(rows - expected)) / size if same else float("inf")
    return found
