"""Is the network as right as it is sure? Reliability bins and the expected calibration error.

Naeini, Cooper and Hauskrecht (AAAI 2015); Guo et al., "On Calibration of Modern Neural Networks",
arXiv:1706.04599.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def reliability(sure: np.ndarray, right: np.ndarray, bins: int = 10) -> list[dict[str, Any]]:
    """Bins of equal width over the probability of the answer, 0..1; empty ones are left out.

    ``sure`` (N,) is the probability of each answer, ``right`` (N,) whether it was true. A probability on
    an edge belongs to the bin below it, as in the papers.
    """
    place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    return [
        {
            "from": k / bins,
            "to": (k + 1) / bins,
            "images": int(inside.sum()),
            "confidence": round(float(sure[inside].mean()), 6),
            "accuracy": round(float(right[inside].mean()), 6),
        }
        for k in range(bins)
        if (inside := place == k).any()
    ]


def calibration_error(table: list[dict[str, Any]]) -> float:
    """ECE, 0..1: the gap between confidence and accuracy, averaged over images."""
    images = sum(row["images"] for row in table)
    return float(sum(row["images"] * abs(row["confidence"] - row["accuracy"]) for row in table) / images)
