"""Predictions are checked when they are made, and keyed by file name."""

from __future__ import annotations

import numpy as np
import pytest

from striate.errors import ArgumentError
from striate.insight import Predictions

GIVEN = {
    "split": "test",
    "classes": ("ant", "bee", "cat"),
    "keys": ("b.png", "a.png"),
    "labels": np.array([0, 2]),
    "probabilities": np.array([[0.5, 0.3, 0.2], [0.4, 0.4, 0.2]]),
}


def test_every_answer_is_held_by_its_file() -> None:
    assert Predictions(**GIVEN).to_json() == {
        "b.png": {"label": "ant", "predicted": "ant", "probability": 0.5},
        "a.png": {"label": "cat", "predicted": "ant", "probability": 0.4},
    }


def test_ranks_agree_with_argmax_when_probabilities_are_equal() -> None:
    p = np.full((3, 3), 1 / 3)
    given = Predictions("test", ("a", "b", "c"), ("x", "y", "z"), np.array([0, 1, 2]), p)
    assert given.predicted.tolist() == [0, 0, 0]
    assert given.ranks().tolist() == [0, 1, 2]
    assert given.accuracy() == pytest.approx(1 / 3)
    assert given.accuracy(among=2) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keys": ("a.png", "a.png")}, r"keys must be unique, got 'a.png' 2 times: name each image once"),
        ({"keys": ()}, r"keys must name at least one image, got none"),
        ({"labels": np.array([0, 3])}, r"labels must lie in 0..2, got 0..3: use the order of classes"),
        ({"labels": np.array([0.0, 1.0])}, r"labels must be integers, got float64"),
        ({"labels": np.array([0])}, r"labels must have shape \(images,\) = \(2,\), got \(1,\)"),
        ({"classes": ("ant", "bee")}, r"must have shape \(images, classes\) = \(2, 2\), got \(2, 3\)"),
        ({"probabilities": np.array([[4.0, 1, 0], [1, 0, 0]])}, r"sum to 1 in each row, got 5 in row 0"),
        ({"probabilities": np.array([[np.nan, 1, 0], [1, 0, 0]])}, r"must be finite and at least 0"),
        ({"probabilities": np.array([[2.0, -1, 0], [1, 0, 0]])}, r"must be finite and at least 0"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Predictions(**{**GIVEN, **change})
