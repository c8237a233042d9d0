"""mistakes.json against what a person counts by hand."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.errors import ArgumentError
from striate.insight import Predictions, write_mistakes
from striate.insight.calibration import calibration_error, reliability
from striate.insight.confusion import confusion_matrix, most_confused, per_class
from striate.insight.mistakes import find_mistakes
from striate.runs import RunFolder

# true:       a     a     b     b     b     c
# predicted:  a     b     b     b     a     b      (nothing is called c)
LABELS = np.array([0, 0, 1, 1, 1, 2])
P = np.array(
    [[0.9, 0.1, 0], [0.2, 0.8, 0], [0, 1, 0], [0.3, 0.6, 0.1], [0.5, 0.4, 0.1], [0.05, 0.9, 0.05]],
)
KEYS = ("f.png", "e.png", "d.png", "c.png", "b.png", "a.png")
IMAGES = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.full((1, 4, 5, 1), 40, dtype=np.uint8)


def predictions(order: np.ndarray | None = None) -> Predictions:
    order = np.arange(6) if order is None else order
    return Predictions("test", ("a", "b", "c"), tuple(KEYS[i] for i in order), LABELS[order], P[order])


def pixels(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def test_confusion_has_true_rows_and_predicted_columns() -> None:
    found = find_mistakes(predictions(), IMAGES)
    assert found["confusion"] == [[1, 1, 0], [1, 2, 0], [0, 1, 0]]
    assert found["top1"] == 0.5
    assert found["wrong"] == 3
    assert found["top5"] is None  # with three classes it would always be 1


def test_per_class_is_none_where_nothing_was_called_or_shown() -> None:
    matrix = confusion_matrix(LABELS, P.argmax(axis=1), 4)
    rows = per_class(matrix, ("a", "b", "c", "d"))
    assert rows[0] == {"class": "a", "precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    assert rows[1] == {"class": "b", "precision": 0.5, "recall": 0.666667, "f1": 0.571429, "support": 3}
    assert rows[2] == {"class": "c", "precision": None, "recall": 0.0, "f1": 0.0, "support": 1}
    assert rows[3] == {"class": "d", "precision": None, "recall": None, "f1": None, "support": 0}


def test_most_confused_counts_mistakes_only() -> None:
    matrix = np.array([[50, 1, 4], [0, 50, 0], [4, 2, 4]])
    assert most_confused(matrix, 3) == [
        {"label": 0, "predicted": 2, "images": 4, "share": 0.072727},
        {"label": 2, "predicted": 0, "images": 4, "share": 0.4},
        {"label": 2, "predicted": 1, "images": 2, "share": 0.2},
    ]
    assert most_confused(np.diag([3, 4]), 5) == []


def test_worst_are_the_surest_wrong_and_doubtful_the_smallest_margins() -> None:
    found = find_mistakes(predictions(), IMAGES)
    assert [row["key"] for row in found["worst"]] == ["a.png", "e.png", "b.png"]
    assert [row["key"] for row in found["doubtful"]] == ["b.png", "c.png", "e.png", "f.png", "a.png", "d.png"]
    first = found["worst"][0]
    assert (first["label"], first["label_probability"]) == (2, 0.05)
    assert first["guesses"] == [[1, 0.9], [0, 0.05], [2, 0.05]]
    assert (pixels(first["thumbnail"]) == 200).all()


def test_the_order_of_the_images_changes_nothing() -> None:
    order = np.array([3, 1, 5, 0, 2, 4])
    assert find_mistakes(predictions(order), IMAGES[order]) == find_mistakes(predictions(), IMAGES)


def test_a_thumbnail_is_at_most_96_pixels_and_keeps_its_proportions() -> None:
    images = np.zeros((6, 300, 200, 3), dtype=np.uint8)
    images[..., 1] = 200
    found = find_mistakes(predictions(), images)
    thumbnail = pixels(found["worst"][0]["thumbnail"])
    assert thumbnail.shape == (96, 64, 3)
    assert (thumbnail == [0, 200, 0]).all()
    assert found["worst"][0]["size"] == [300, 200]


def test_top5_counts_the_true_class_among_five() -> None:
    p = np.tile(np.array([0.3, 0.2, 0.15, 0.15, 0.1, 0.06, 0.04]), (4, 1))
    names = tuple("abcdefg")
    given = Predictions("val", names, ("1", "2", "3", "4"), np.array([0, 4, 5, 6]), p)
    found = find_mistakes(given, np.zeros((4, 1, 1, 1), dtype=np.uint8))
    assert (found["top1"], found["top5"]) == (0.25, 0.5)


def test_calibration_of_a_network_that_is_too_sure() -> None:
    sure, right = np.array([0.95, 0.95, 0.55, 0.5, 1.0]), np.array([True, False, True, False, False])
    table = reliability(sure, right)
    assert [(row["from"], row["images"]) for row in table] == [(0.4, 1), (0.5, 1), (0.9, 3)]
    assert table[2]["confidence"] == pytest.approx(2.9 / 3, abs=1e-6)
    assert table[2]["accuracy"] == pytest.approx(1 / 3, abs=1e-6)
    assert calibration_error(table) == pytest.approx((0.5 + 0.45 + 1.9) / 5, abs=1e-6)


def test_both_files_are_written(tmp_path: Path) -> None:
    path = write_mistakes(RunFolder(tmp_path), predictions(), IMAGES)
    assert path == tmp_path / "insight" / "mistakes.json"
    assert json.loads(path.read_text())["images"] == 6
    answers = json.loads((tmp_path / "insight" / "predictions.json").read_text())
    assert answers["a.png"] == {"label": "c", "predicted": "b", "probability": 0.9}


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES[:5], r"images must have shape \(6, H, W, 1 or 3\), got \(5, 4, 5, 1\)"),
        (IMAGES.astype(np.float32), r"images must be uint8, got float32"),
        (np.zeros((6, 2, 2, 4), dtype=np.uint8), r"got \(6, 2, 2, 4\)"),
    ],
)
def test_other_images_are_refused_and_nothing_is_written(
    tmp_path: Path, images: np.ndarray, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        write_mistakes(RunFolder(tmp_path), predictions(), images)
    assert not (tmp_path / "insight").exists()
