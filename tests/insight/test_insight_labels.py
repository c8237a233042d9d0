"""Average precision and thresholds against scikit-learn and by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from striate.errors import ArgumentError
from striate.insight.labels import (
    LabelAnswers,
    average_precision,
    best_threshold,
    mean_average_precision,
    per_label,
    thresholds_of,
    write_labels,
)
from striate.runs import RunFolder


@pytest.mark.parametrize("digits", [1, 2, 9])  # few digits: many equal probabilities
def test_average_precision_is_that_of_scikit_learn(digits: int) -> None:
    random = np.random.default_rng(digits)
    for _ in range(20):
        there = random.integers(0, 2, 40)
        there[0] = 1
        sure = np.round(random.random(40), digits)
        assert average_precision(there, sure) == pytest.approx(average_precision_score(there, sure))
        best = best_threshold(there, sure)
        scores = [f1_score(there, sure >= value) for value in np.unique(sure)]
        assert f1_score(there, sure >= best) == pytest.approx(max(scores))


def test_a_label_that_is_nowhere() -> None:
    assert (
        average_precision(np.zeros(3), np.ones(3)) is None and best_threshold(np.zeros(3), np.ones(3)) == 0.5
    )
    assert mean_average_precision([{"average_precision": None}, {"average_precision": 0.5}]) == 0.5
    assert mean_average_precision([{"average_precision": None}]) is None


def answers() -> LabelAnswers:
    there = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])
    sure = np.array([[0.9, 0.6], [0.4, 0.8], [0.3, 0.1], [0.2, 0.05]])
    return LabelAnswers("val", ("cat", "dog"), ("a", "b", "c", "d"), there, sure)


def test_the_table() -> None:
    found = answers()
    thresholds = thresholds_of(found)
    assert thresholds[0] == pytest.approx(0.35)  # halfway between 0.4 and 0.3
    cat, dog = per_label(found, thresholds)
    assert (cat["precision"], cat["recall"], cat["f1"], cat["average_precision"]) == (1, 1, 1, 1)
    assert dog["support"] == 2 and dog["average_precision"] == pytest.approx((1 + 2 / 3) / 2, abs=1e-6)
    with pytest.raises(ArgumentError, match=r"labels and probabilities must have shape \(3, 2\)"):
        LabelAnswers("val", ("cat", "dog"), ("a", "b", "c"), found.labels, found.probabilities)


def test_the_file_names_the_surest_mistakes(tmp_path: Path) -> None:
    pixels = np.zeros((4, 8, 8, 3), np.uint8)
    path = write_labels(RunFolder(tmp_path), answers(), [0.5, 0.5], "val", pixels)
    found = json.loads(path.read_text())
    assert [(one["key"], one["label"]) for one in found["alarms"]] == [("a", 1)]
    assert [(one["key"], one["label"]) for one in found["missed"]] == [("c", 1), ("b", 0)]
    assert found["all_right"] == 0.25 and found["thresholds_from"] == "val"
    predictions = json.loads((tmp_path / "insight/predictions.json").read_text())
    assert predictions["images"]["b"] == {"labels": [0, 1], "probabilities": [0.4, 0.8]}
