"""The learning rate of each step, which only the schedule knows."""

from __future__ import annotations

from typing import Any

import pytest

from striate.report.curves import training_curves
from striate.report.rates import POINTS, rates
from striate.training.schedule import factor
from striate.training.settings import TrainSettings


def history_of(settings: TrainSettings, each: int, epochs: int | None = None) -> list[dict[str, Any]]:
    """As a training of ``each`` steps an epoch leaves it."""
    total = each * settings.epochs
    return [
        {
            "epoch": epoch,
            "step": epoch * each,
            "train_loss": 1.0,
            "train_accuracy": 0.5,
            "lr": settings.lr * factor(epoch * each - 1, total, settings),
        }
        for epoch in range(1, (epochs or settings.epochs) + 1)
    ]


@pytest.mark.parametrize(
    ("settings", "epochs"),
    [
        (TrainSettings(epochs=1), None),
        (TrainSettings(epochs=1, schedule="one-cycle", warmup=0.3), None),
        (TrainSettings(epochs=9, schedule="step", head_epochs=2), None),
        (TrainSettings(epochs=9, schedule="cosine", patience=2), 4),  # it ended early
    ],
)
def test_every_step_has_the_rate_of_its_schedule(settings: TrainSettings, epochs: int | None) -> None:
    each, done = 10, epochs or settings.epochs
    found = rates(history_of(settings, each, epochs), settings.to_json())
    assert len(found) == each * done < POINTS
    for step, (when, rate) in enumerate(found):
        assert when == pytest.approx((step + 1) / each)
        assert rate == pytest.approx(settings.lr * factor(step, each * settings.epochs, settings))
    assert training_curves(history_of(settings, each, epochs), settings.to_json())[2].legend == (
        ("one", "of each step"),
    )


def test_a_long_training_has_no_more_points_than_can_be_seen() -> None:
    settings = TrainSettings(epochs=3)
    found = rates(history_of(settings, 5_000), settings.to_json())
    assert len(found) == POINTS and found[0][0] == pytest.approx(1 / 5_000) and found[-1][0] == 3


@pytest.mark.parametrize("changed", [{"lr": 0.5}, {"schedule": "cosine"}, {"no_such": 1}])
def test_rates_that_are_not_the_schedules_are_shown_as_they_were(changed: dict[str, Any]) -> None:
    settings = TrainSettings(epochs=4)
    history, other = history_of(settings, 10), {**settings.to_json(), **changed}
    assert rates(history, other) == []
    assert training_curves(history, other)[2].legend == (("one", "at the end of each epoch"),)
    assert [figure.title for figure in training_curves(history[:1], other)] == ["Accuracy", "Loss"]
