"""What is drawn: how training went, epoch by epoch, and whether the network is as right as it is sure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from striate.report.axis import Axis
from striate.report.chart import FIRST, GRID, SECOND, Line, draw
from striate.report.rates import rates
from striate.report.wording import percent

MARKED = 25  # with more epochs than this, dots hide the line
DOT = 2.1  # radius of a dot on a curve, in the drawing's units
SMALLEST, MORE = 12.0, 150.0  # squared diameter of a dot: of a bin without images, and what the fullest adds
TALL = 209.0  # height of the drawing whose two axes are alike
EPOCHS = Axis("epoch", whole=True, most=8)


@dataclass(frozen=True)
class Figure:
    """A drawing, what its colours mean (CSS class, words), and one sentence on what to look for."""

    title: str
    svg: str
    legend: tuple[tuple[str, str], ...]
    look: str


def training_curves(history: list[dict[str, Any]], settings: dict[str, Any]) -> list[Figure]:
    """Accuracy, loss and learning rate over epochs; ``settings``: of the training."""
    if not history:
        return []
    return [_accuracy(history), _loss(history), *_learning_rate(history, settings)]


def _accuracy(history: list[dict[str, Any]]) -> Figure:
    train, val = _series(history, "train_accuracy"), _series(history, "val_accuracy")
    look = "A gap that widens while the training curve climbs is memorising: the network knows its examples."
    if not val:
        look = "There is no validation split, so the curve cannot show how it does on images it never saw."
    shares = Axis(write=lambda value: f"{value * 100:.4g}%")
    svg = draw("Accuracy per epoch", _lines(train, val), EPOCHS, shares)
    return Figure("Accuracy", svg, _legend(train, val, percent), look)


def _loss(history: list[dict[str, Any]]) -> Figure:
    train, val = _series(history, "train_loss"), _series(history, "val_loss")
    look = "Lower is better. Training loss is taken while the weights move, on augmented images."
    if val:
        best = min(val, key=lambda point: point[1])
        place = "the last epoch" if best == val[-1] else f"epoch {best[0]:g} of {val[-1][0]:g}"
        look = f"Lower is better. Validation loss is lowest in {place}; where it turns up, more epochs harm."
    legend = _legend(train, val, lambda value: f"{value:.3f}")
    svg = draw("Loss per epoch", _lines(train, val), EPOCHS, Axis(low=0))
    return Figure("Loss", svg, legend, look)


def _learning_rate(history: list[dict[str, Any]], settings: dict[str, Any]) -> list[Figure]:
    """None where a single point is known, which is no curve."""
    rate, when = rates(history, settings), "of each step"
    if not rate:
        rate, when = _series(history, "lr"), "at the end of each epoch"
    if len(rate) < 2:
        return []
    svg = draw("Learning rate over epochs", _lines(rate, []), EPOCHS, Axis(low=0))
    look = "How large the steps were. Accuracy usually gains most while this falls towards zero."
    return [Figure("Learning rate", svg, (("one", when),), look)]


def epoch_rows(history: list[dict[str, Any]]) -> list[list[str]]:
    """The same as a table: epoch, then loss and accuracy in training and validation, and the pace."""
    return [
        [
            str(row["epoch"]),
            _four(row["train_loss"]),
            percent(row["train_accuracy"], 2),
            _four(row.get("val_loss")),
            percent(row.get("val_accuracy"), 2),
            f"{row['lr']:.3g}",
            f"{row['images_per_second']:,.0f}",
            percent(row.get("data_wait_share"), 0),
        ]
        for row in history
    ]


def _four(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def reliability_figure(table: list[dict[str, Any]], error: float) -> Figure:
    """Accuracy over confidence, one dot per bin, its area the number of images."""
    most = max(row["images"] for row in table)
    points = [(row["confidence"], row["accuracy"]) for row in table]
    radii = [math.sqrt(SMALLEST + MORE * row["images"] / most) / 2 for row in table]
    sure, right = (
        Axis(title, 0, 1.04, lambda value: f"{value * 100:.0f}%")
        for title in ("how sure it is", "how often it is right")
    )
    lines = [Line([(0, 0), (1, 1)], GRID, 1.4), Line(points, FIRST, radii=radii)]
    svg = draw("Share of right answers over sureness", lines, sure, right, TALL)
    look = (
        "On the thin line, “90% sure” means right nine times out of ten; below it the network is surer "
        f"than it should be. A larger dot stands for more images. Average gap: {percent(error)}."
    )
    legend = (("one", "answers of about equal sureness"),)
    return Figure("Is it as right as it is sure?", svg, legend, look)


def _series(history: list[dict[str, Any]], name: str) -> list[tuple[float, float]]:
    return [(row["epoch"], row[name]) for row in history if row.get(name) is not None]


def _lines(first: list[tuple[float, float]], second: list[tuple[float, float]]) -> list[Line]:
    return [
        Line(points, colour, radii=[DOT] * len(points) if len(points) <= MARKED else ())
        for points, colour in ((first, FIRST), (second, SECOND))
        if points
    ]


def _legend(
    train: list[tuple[float, float]], val: list[tuple[float, float]], write: Any
) -> tuple[tuple[str, str], ...]:
    """The two lines by colour, with the value at which each ends."""
    named = (("one", "training", train), ("two", "validation", val))
    return tuple((colour, f"{name} {write(points[-1][1])}") for colour, name, points in named if points)
