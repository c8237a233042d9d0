"""Is the network as right as it is sure? Reliability bins and the expected calibration error.

Naeini, Cooper and Hauskrecht (AAAI 2015); Guo et al., "On Calibration of Modern Neural Networks",
arXiv:1706.04599.
"""

from __future__ import annotations

from typing import Any

import numpy as np

LEAST, MOST = 0.2, 5.0  # beyond these a temperature says more about few images than about the network
FEWEST_MISTAKES = 10  # an images' set without mistakes would ask for a temperature of zero
_STEPS = 60  # of the golden section; each leaves 0.62 of the interval
_GOLDEN = (5**0.5 - 1) / 2


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


def temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The number by which logits (N, K) are divided so that their cross-entropy on ``labels`` is lowest.

    Between 0.2 and 5, found by golden section over its logarithm, in which the loss has one valley (Guo et
    al., section 4.2). 1 where fewer than ten images are wrong: they say too little.
    """
    logits = logits.astype(np.float64)
    rows = np.arange(len(labels))
    if (logits.argmax(axis=1) != labels).sum() < FEWEST_MISTAKES:
        return 1.0

    def loss(log_t: float) -> float:
        z = logits / np.exp(log_t)
        z = z - z.max(axis=1, keepdims=True)
        return float((np.log(np.exp(z).sum(axis=1)) - z[rows, labels]).mean())

    low, high = np.log(LEAST), np.log(MOST)
    for _ in range(_STEPS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))
