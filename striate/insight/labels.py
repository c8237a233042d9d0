"""How well each of several labels is found: average precision, the best threshold, and the worst mistakes.

Writes insight/labels.json and insight/predictions.json of a run whose images may have several labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.errors import ArgumentError
from striate.insight.thumbnail import data_uri
from striate.runs import RunFolder, write_json

if TYPE_CHECKING:
    from striate.data.pixels import Pixels

SHOWN = 24  # pictures of each kind


@dataclass(frozen=True, eq=False)
class LabelAnswers:
    """Probabilities (N, K) for N images named by ``keys``; ``labels`` (N, K) says which are there, 0 or 1."""

    split: str
    classes: tuple[str, ...]
    keys: tuple[str, ...]
    labels: np.ndarray
    probabilities: np.ndarray

    def __post_init__(self) -> None:
        shape = (len(self.keys), len(self.classes))
        if self.labels.shape != shape or self.probabilities.shape != shape or not len(self.keys):
            raise ArgumentError(
                f"labels and probabilities must have shape {shape} and at least one image, got "
                f"{self.labels.shape} and {self.probabilities.shape}: give one row for each key."
            )


def average_precision(there: np.ndarray, sure: np.ndarray) -> float | None:
    """Precision averaged over recall of one label: ``there`` (N,) 0 or 1, ``sure`` (N,). None: nowhere.

    The sum over all different thresholds of (recall gained) x (precision there); Manning, Raghavan and
    Schuetze 2008, "Introduction to Information Retrieval", section 8.4. Equal probabilities share one.
    """
    if not there.any():
        return None
    precision, recall, _ = _curve(there, sure)
    return float((np.diff(recall, prepend=0) * precision).sum())


def best_threshold(there: np.ndarray, sure: np.ndarray) -> float:
    """The probability from which the label should be said, so that F1 is largest; 0.5 where it is nowhere.

    It lies halfway to the next smaller probability, where that does not change an answer.
    """
    if not there.any():
        return 0.5
    precision, recall, values = _curve(there, sure)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = int(f1.argmax())
    below = values[best + 1] if best + 1 < len(values) else 0.0
    return float((values[best] + below) / 2)


def thresholds_of(answers: LabelAnswers) -> list[float]:
    """``best_threshold`` of each label."""
    pairs = zip(answers.labels.T, answers.probabilities.T, strict=True)
    return [round(best_threshold(there, sure), 6) for there, sure in pairs]


def per_label(answers: LabelAnswers, thresholds: Sequence[float]) -> list[dict[str, Any]]:
    """For each label: support, average precision, threshold, and precision, recall and F1 at it."""
    rows = []
    said = answers.probabilities >= np.asarray(thresholds)
    for k, name in enumerate(answers.classes):
        there = answers.labels[:, k] > 0
        hits, called, support = int((said[:, k] & there).sum()), int(said[:, k].sum()), int(there.sum())
        found = average_precision(there, answers.probabilities[:, k])
        rows.append(
            {
                "class": name,
                "support": support,
                "average_precision": None if found is None else round(found, 6),
                "threshold": thresholds[k],
                "precision": round(hits / called, 6) if called else None,
                "recall": round(hits / support, 6) if support else None,
                "f1": round(2 * hits / (called + support), 6) if called + support else None,
            }
        )
    return rows


def mean_average_precision(rows: Sequence[dict[str, Any]]) -> float | None:
    """The mean over the labels that are somewhere."""
    known = [row["average_precision"] for row in rows if row["average_precision"] is not None]
    return float(np.mean(known)) if known else None


def write_labels(
    folder: RunFolder, answers: LabelAnswers, thresholds: Sequence[float], chosen_on: str, images: Pixels
) -> Path:
    """Write both files; returns the path of labels.json. ``chosen_on``: where the thresholds come from."""
    rows = per_label(answers, thresholds)
    said, there = answers.probabilities >= np.asarray(thresholds), answers.labels > 0
    path = folder.insight / "labels.json"
    predictions = {
        "split": answers.split,
        "classes": list(answers.classes),
        "images": {
            key: {"labels": np.flatnonzero(own).tolist(), "probabilities": np.round(p, 6).tolist()}
            for key, own, p in zip(answers.keys, answers.labels, answers.probabilities, strict=True)
        },
    }
    write_json(folder.insight / "predictions.json", predictions)
    found = {
        "split": answers.split,
        "images": len(answers.keys),
        "classes": list(answers.classes),
        "thresholds_from": chosen_on,
        "mean_average_precision": mean_average_precision(rows),
        "all_right": float((said == there).all(axis=1).mean()),
        "per_label": rows,
        "alarms": _worst(answers, said & ~there, -answers.probabilities, images),
        "missed": _worst(answers, ~said & there, answers.probabilities, images),
    }
    write_json(path, found)
    return path


def _curve(there: np.ndarray, sure: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and threshold at every different probability, the largest first."""
    order = np.argsort(-sure, kind="stable")
    values, hits = sure[order].astype(np.float64), np.cumsum(there[order] > 0)
    ends = np.flatnonzero(np.append(np.diff(values) != 0, True))
    return hits[ends] / (ends + 1), hits[ends] / hits[-1], values[ends]


def _worst(
    answers: LabelAnswers, wrong: np.ndarray, order: np.ndarray, images: Pixels
) -> list[dict[str, Any]]:
    """The surest wrong answers: picture, label and probability."""
    places = np.argwhere(wrong)
    ranked = places[np.argsort(order[wrong], kind="stable")][:SHOWN]
    return [
        {
            "key": answers.keys[row],
            "label": int(label),
            "probability": round(float(answers.probabilities[row, label]), 6),
            "size": [int(side) for side in images.shape[1:3]],
            "thumbnail": data_uri(np.asarray(images[int(row)])),
        }
        for row, label in ranked
    ]
