"""A network's answers about one split, each held by the name of its file.

Answers that are matched to labels by position go wrong silently as soon as one side is shuffled
(keras #4225, tensorflow #50124); here every probability travels with its key.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.errors import ArgumentError

SUM_TOLERANCE = 1e-3  # of a row of probabilities that were computed in fp32


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities (N, K) for N images named by ``keys``, of true class ``labels`` (N,), indexes below K.

    Raises ArgumentError: lengths that differ, no image, a key that occurs twice, a label outside the
    classes, numbers that are not probabilities (logits, NaN).
    """

    split: str
    classes: tuple[str, ...]
    keys: tuple[str, ...]
    labels: np.ndarray
    probabilities: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "keys", tuple(self.keys))
        object.__setattr__(self, "labels", np.asarray(self.labels))
        object.__setattr__(self, "probabilities", np.asarray(self.probabilities, dtype=np.float64))
        _check_lengths(self)
        _check_labels(self)
        _check_probabilities(self.probabilities)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def predicted(self) -> np.ndarray:
        """The class of highest probability, (N,); the first one where several are equal."""
        return np.asarray(self.probabilities.argmax(axis=1))

    def ranks(self) -> np.ndarray:
        """How many classes stand before the true one, (N,): 0 is a right answer. Ties as in `predicted`."""
        p = self.probabilities
        of_label = np.take_along_axis(p, self.labels[:, None], axis=1)
        earlier = np.arange(len(self.classes)) < self.labels[:, None]
        return np.asarray(((p > of_label) | ((p == of_label) & earlier)).sum(axis=1))

    def accuracy(self, among: int = 1) -> float:
        """Share of images whose true class is among the ``among`` most probable ones, 0..1."""
        return float((self.ranks() < among).mean())

    def to_json(self) -> dict[str, Any]:
        """``{"train/00012": {"label": "Coat", "predicted": "Shirt", "probability": 0.61}, ...}``"""
        predicted = self.predicted
        sure = self.probabilities[np.arange(len(self)), predicted]
        return {
            key: {
                "label": self.classes[label],
                "predicted": self.classes[guess],
                "probability": round(float(probability), 6),
            }
            for key, label, guess, probability in zip(self.keys, self.labels, predicted, sure, strict=True)
        }


def _check_lengths(given: Predictions) -> None:
    images, classes = len(given.keys), len(given.classes)
    if images == 0:
        raise ArgumentError("keys must name at least one image, got none: give a split that has images.")
    if given.probabilities.shape != (images, classes):
        raise ArgumentError(
            f"probabilities must have shape (images, classes) = {(images, classes)}, "
            f"got {given.probabilities.shape}: give one row for each key."
        )
    if given.labels.shape != (images,):
        raise ArgumentError(
            f"labels must have shape (images,) = {(images,)}, got {given.labels.shape}: "
            "give one class index for each key."
        )
    key, times = Counter(given.keys).most_common(1)[0]
    if times > 1:
        raise ArgumentError(
            f"keys must be unique, got {key!r} {times} times: name each image once, by its file."
        )


def _check_labels(given: Predictions) -> None:
    if not np.issubdtype(given.labels.dtype, np.integer):
        raise ArgumentError(
            f"labels must be integers, got {given.labels.dtype}: give the index of each image's class."
        )
    low, high = int(given.labels.min()), int(given.labels.max())
    if low < 0 or high >= len(given.classes):
        raise ArgumentError(
            f"labels must lie in 0..{len(given.classes) - 1}, got {low}..{high}: "
            "use the order of classes that the network was trained with."
        )


def _check_probabilities(p: np.ndarray) -> None:
    remedy = "apply softmax to the logits, in fp32"
    if not np.isfinite(p).all() or p.min() < 0:
        raise ArgumentError(f"probabilities must be finite and at least 0, got other values: {remedy}.")
    error = np.abs(p.sum(axis=1) - 1)
    if error.max() > SUM_TOLERANCE:
        row = int(error.argmax())
        raise ArgumentError(
            f"probabilities must sum to 1 in each row, got {p[row].sum():.4g} in row {row}: {remedy}."
        )
