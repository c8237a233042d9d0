"""What a network gets wrong, and where it hesitates: insight/mistakes.json and insight/predictions.json."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.errors import ArgumentError
from striate.insight.calibration import calibration_error, reliability
from striate.insight.confusion import confusion_matrix, most_confused, per_class
from striate.insight.predictions import Predictions
from striate.insight.thumbnail import data_uri
from striate.runs import RunFolder, write_json

if TYPE_CHECKING:
    from striate.data.pixels import Pixels

SHOWN = 24  # pictures of each kind
PAIRS = 30  # most confused pairs
GUESSES = 3  # most probable classes of each picture


def write_mistakes(folder: RunFolder, predictions: Predictions, images: Pixels) -> Path:
    """Write both files; returns the path of mistakes.json. ``images`` is uint8 (N, H, W, 1 or 3).

    Raises ArgumentError when images and predictions do not fit each other.
    """
    found = find_mistakes(predictions, images)
    path = folder.insight / "mistakes.json"
    write_json(folder.insight / "predictions.json", predictions.to_json())
    write_json(path, found)
    return path


def find_mistakes(predictions: Predictions, images: Pixels) -> dict[str, Any]:
    """The content of mistakes.json. Classes are indexes into ``classes``, shares lie in 0..1.

    ``worst``: wrong answers, the surest first. ``doubtful``: right or wrong, smallest distance between the
    two most probable classes first. Equal ones stand in the order of their file names.
    """
    _check_images(predictions, images)
    p, predicted, classes = predictions.probabilities, predictions.predicted, predictions.classes
    sure = p.max(axis=1)
    right = predicted == predictions.labels
    margin = sure - np.partition(p, -2, axis=1)[:, -2] if len(classes) > 1 else sure
    names = np.argsort(np.array(predictions.keys), kind="stable")
    by_sureness = names[np.argsort(-sure[names], kind="stable")]
    by_margin = names[np.argsort(margin[names], kind="stable")]
    matrix = confusion_matrix(predictions.labels, predicted, len(classes))
    table = reliability(sure, right)
    return {
        "split": predictions.split,
        "images": len(predictions),
        "classes": list(classes),
        "top1": predictions.accuracy(),
        "top5": predictions.accuracy(among=5) if len(classes) > 5 else None,
        "confusion": matrix.tolist(),
        "per_class": per_class(matrix, classes),
        "confused": most_confused(matrix, PAIRS),
        "calibration_error": round(calibration_error(table), 6),
        "reliability": table,
        "wrong": int((~right).sum()),
        "worst": [_picture(predictions, images, i) for i in by_sureness[~right[by_sureness]][:SHOWN]],
        "doubtful": [_picture(predictions, images, i) for i in by_margin[:SHOWN]],
    }


def _picture(predictions: Predictions, images: Pixels, index: int) -> dict[str, Any]:
    p = predictions.probabilities[index]
    guesses = np.argsort(-p, kind="stable")[:GUESSES]
    label = int(predictions.labels[index])
    return {
        "key": predictions.keys[index],
        "label": label,
        "label_probability": round(float(p[label]), 6),
        "guesses": [[int(k), round(float(p[k]), 6)] for k in guesses],
        "size": [int(side) for side in images.shape[1:3]],
        "thumbnail": data_uri(np.asarray(images[index])),
    }


def _check_images(predictions: Predictions, images: Pixels) -> None:
    if len(images.shape) != 4 or len(images) != len(predictions) or images.shape[3] not in (1, 3):
        raise ArgumentError(
            f"images must have shape ({len(predictions)}, H, W, 1 or 3), got {images.shape}: "
            "give the images that the predictions were made from, in the same order."
        )
    if images.dtype != np.uint8:
        raise ArgumentError(f"images must be uint8, got {images.dtype}: give the decoded pixels, 0..255.")
