"""What the folds of a cross-validation say together: every image was answered once, by a network that had not
seen it. Adds up the folds' insight/mistakes.json or insight/labels.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from striate.insight.calibration import calibration_error
from striate.insight.confusion import most_confused, per_class
from striate.insight.mistakes import PAIRS, SHOWN

SPLIT = "held-out"
Found = Mapping[str, Any]


def mean(values: Sequence[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 6) if known else None


def spread(values: Sequence[float | None]) -> float | None:
    """Their standard deviation, as of a sample (n - 1); None of fewer than two."""
    known = [value for value in values if value is not None]
    return round(float(np.std(known, ddof=1)), 6) if len(known) > 1 else None


def pooled_mistakes(folds: Sequence[Found]) -> dict[str, Any]:
    """mistakes.json over all folds; a class's ``recall_spread`` is that over the folds."""
    classes = tuple(folds[0]["classes"])
    matrix = np.sum([fold["confusion"] for fold in folds], axis=0)
    images = sum(fold["images"] for fold in folds)
    table = _reliability([row for fold in folds for row in fold["reliability"]])
    top5 = [fold["top5"] for fold in folds]
    rows = per_class(matrix, classes)
    for place, row in enumerate(rows):
        row["recall_spread"] = spread([fold["per_class"][place]["recall"] for fold in folds])
    return {
        "split": SPLIT,
        "images": images,
        "classes": list(classes),
        "top1": float(matrix.trace() / images),
        "top5": sum(t * f["images"] for t, f in zip(top5, folds, strict=True)) / images
        if None not in top5
        else None,
        "confusion": matrix.tolist(),
        "per_class": rows,
        "confused": most_confused(matrix, PAIRS),
        "calibration_error": round(calibration_error(table), 6),
        "reliability": table,
        "wrong": sum(fold["wrong"] for fold in folds),
        "worst": _first(folds, "worst", lambda picture: -picture["guesses"][0][1]),
        "doubtful": _first(folds, "doubtful", _margin),
    }


def pooled_labels(folds: Sequence[Found]) -> dict[str, Any]:
    """labels.json over all folds: means of each label's numbers, because thresholds are a fold's own."""
    rows = []
    for own in zip(*(fold["per_label"] for fold in folds), strict=True):
        names = ("average_precision", "threshold", "precision", "recall", "f1")
        row = {"class": own[0]["class"], "support": sum(part["support"] for part in own)}
        row |= {name: mean([part[name] for part in own]) for name in names}
        rows.append(row | {"average_precision_spread": spread([part["average_precision"] for part in own])})
    images = sum(fold["images"] for fold in folds)
    return {
        "split": SPLIT,
        "images": images,
        "classes": list(folds[0]["classes"]),
        "thresholds_from": folds[0]["thresholds_from"],
        "mean_average_precision": mean([fold["mean_average_precision"] for fold in folds]),
        "all_right": sum(fold["all_right"] * fold["images"] for fold in folds) / images,
        "per_label": rows,
        "alarms": _first(folds, "alarms", lambda picture: -picture["probability"]),
        "missed": _first(folds, "missed", lambda picture: picture["probability"]),
    }


def _first(folds: Sequence[Found], kind: str, order: Callable[[Any], float]) -> list[Any]:
    return sorted((picture for fold in folds for picture in fold[kind]), key=order)[:SHOWN]


def _margin(picture: Found) -> float:
    best, *rest = (probability for _, probability in picture["guesses"])
    return float(best - rest[0]) if rest else float(best)


def _reliability(rows: Sequence[Found]) -> list[dict[str, Any]]:
    """Rows of equal bins as one."""
    table = []
    for edge in sorted({row["from"] for row in rows}):
        own = [row for row in rows if row["from"] == edge]
        images = [row["images"] for row in own]
        shares = {
            name: round(float(np.average([row[name] for row in own], weights=images)), 6)
            for name in ("confidence", "accuracy")
        }
        table.append({"from": edge, "to": own[0]["to"], "images": sum(images), **shares})
    return table
