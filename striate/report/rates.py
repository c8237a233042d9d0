"""The learning rate of each step: no file has it, but the schedule in settings.json says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isclose
from typing import Any

from striate.errors import ArgumentError
from striate.training.schedule import factor
from striate.training.settings import TrainSettings

POINTS = 240  # of the curve, at most: about one for each of the drawing's units

Point = tuple[float, float]


def rates(history: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> list[Point]:
    """(epochs done after the step, its rate); empty where the history's rates are not those of the schedule:
    a network with a rule of its own has none."""
    try:
        asked = TrainSettings.from_json(settings)
    except (ArgumentError, TypeError):  # another version's
        return []
    last = history[-1]["step"]
    each = last / history[-1]["epoch"]  # steps of an epoch
    total = round(each * asked.epochs)

    def rate(step: int) -> float:
        return asked.lr * factor(step, total, asked)

    if not all(isclose(rate(row["step"] - 1), row["lr"], rel_tol=1e-6, abs_tol=1e-12) for row in history):
        return []
    steps = sorted({round(part * (last - 1) / (POINTS - 1)) for part in range(POINTS)})
    return [((step + 1) / each, rate(step)) for step in steps]
