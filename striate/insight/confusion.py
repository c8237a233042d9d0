"""Which class is taken for which: the confusion matrix and what follows from it."""

from __future__ import annotations

from typing import Any

import numpy as np


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes), int64: row = true class, column = predicted class."""
    pairs = labels.astype(np.int64) * classes + predicted
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def per_class(matrix: np.ndarray, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and support of each class; ``None`` where the ratio is 0 / 0.

    precision: of what was called this class, the share that is.   recall: of what is, the share that was
    found.   F1 = 2 TP / (2 TP + FP + FN), their harmonic mean.   support: images of the class.
    """
    hits, support, called = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    return [
        {
            "class": name,
            "precision": _ratio(hits[k], called[k]),
            "recall": _ratio(hits[k], support[k]),
            "f1": _ratio(2 * hits[k], called[k] + support[k]),
            "support": int(support[k]),
        }
        for k, name in enumerate(classes)
    ]


def most_confused(matrix: np.ndarray, count: int) -> list[dict[str, int | float]]:
    """The ``count`` most frequent mistakes, as class indexes; equal counts in the order of the classes.

    ``share`` is the share of the true class's images that went this way, 0..1.
    """
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    support = matrix.sum(axis=1)
    order = np.argsort(-wrong, axis=None, kind="stable")[:count]
    pairs = [divmod(int(place), len(matrix)) for place in order]
    return [
        {
            "label": true,
            "predicted": guess,
            "images": int(wrong[true, guess]),
            "share": round(float(wrong[true, guess] / support[true]), 6),
        }
        for true, guess in pairs
        if wrong[true, guess]
    ]


def _ratio(part: int, whole: int) -> float | None:
    return round(float(part / whole), 6) if whole else None
