"""What is drawn: how training went, epoch by epoch, and whether the network is as right as it is sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from striate.report.chart import FIRST, GRID, SECOND, SOFT, draw
from striate.report.wording import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKED = 25  # with more epochs than this, dots hide the line


@dataclass(frozen=True)
class Figure:
    """A drawing, what its colours mean (CSS class, words), and one sentence on what to look for."""

    title: str
    svg: str
    legend: tuple[tuple[str, str], ...]
    look: str


def training_curves(history: list[dict[str, Any]]) -> list[Figure]:
    """Accuracy, loss and learning rate over epochs."""
    if not history:
        return []
    return [_accuracy(history), _loss(history), _learning_rate(history)]


def _accuracy(history: list[dict[str, Any]]) -> Figure:
    train, val = _series(history, "train_accuracy"), _series(history, "val_accuracy")

    def plot(axes: Axes) -> None:
        axes.yaxis.set_major_formatter(lambda value, _: f"{value * 100:.4g}%")
        _lines(axes, train, val)

    look = "A gap that widens while the training curve climbs is memorising: the network knows its examples."
    if not val:
        look = "There is no validation split, so the curve cannot show how it does on images it never saw."
    svg = draw("accuracy", "Accuracy per epoch", plot)
    return Figure("Accuracy", svg, _legend(train, val, percent), look)


def _loss(history: list[dict[str, Any]]) -> Figure:
    train, val = _series(history, "train_loss"), _series(history, "val_loss")
    look = "Lower is better. Training loss is taken while the weights move, on augmented images."
    if val:
        best = min(val, key=lambda point: point[1])
        place = "the last epoch" if best == val[-1] else f"epoch {best[0]:g} of {val[-1][0]:g}"
        look = f"Lower is better. Validation loss is lowest in {place}; where it turns up, more epochs harm."

    def plot(axes: Axes) -> None:
        _lines(axes, train, val)
        axes.set_ylim(bottom=0)

    legend = _legend(train, val, lambda value: f"{value:.3f}")
    return Figure("Loss", draw("loss", "Loss per epoch", plot), legend, look)


def _learning_rate(history: list[dict[str, Any]]) -> Figure:
    rate = _series(history, "lr")

    def plot(axes: Axes) -> None:
        _lines(axes, rate, [])
        axes.set_ylim(bottom=0)
        axes.ticklabel_format(axis="y", style="plain", useOffset=False)

    legend = (("one", "at the end of each epoch"),)
    look = "How large the steps were. Accuracy usually gains most while this falls towards zero."
    return Figure("Learning rate", draw("rate", "Learning rate per epoch", plot), legend, look)


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

    def plot(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=GRID, linewidth=1.4)
        sure, right = [row["confidence"] for row in table], [row["accuracy"] for row in table]
        axes.plot(sure, right, color=FIRST)
        axes.scatter(sure, right, [12 + 150 * row["images"] / most for row in table], color=FIRST, zorder=3)
        axes.set(xlim=(0, 1.04), ylim=(0, 1.04), xlabel="how sure it is", ylabel="how often it is right")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value * 100:.0f}%")

    look = (
        "On the thin line, “90% sure” means right nine times out of ten; below it the network is surer "
        f"than it should be. A larger dot stands for more images. Average gap: {percent(error)}."
    )
    legend = (("one", "answers of about equal sureness"),)
    svg = draw("reliability", "Share of right answers over sureness", plot, (3.7, 2.9))
    return Figure("Is it as right as it is sure?", svg, legend, look)


def _series(history: list[dict[str, Any]], name: str) -> list[tuple[float, float]]:
    return [(row["epoch"], row[name]) for row in history if row.get(name) is not None]


def _lines(axes: Axes, first: list[tuple[float, float]], second: list[tuple[float, float]]) -> None:
    for points, colour in ((first, FIRST), (second, SECOND)):
        if points:
            marker = "o" if len(points) <= MARKED else ""
            axes.plot(*zip(*points, strict=True), color=colour, marker=marker, markersize=3.2)
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("epoch", color=SOFT)


def _legend(
    train: list[tuple[float, float]], val: list[tuple[float, float]], write: Any
) -> tuple[tuple[str, str], ...]:
    """The two lines by colour, with the value at which each ends."""
    named = (("one", "training", train), ("two", "validation", val))
    return tuple((colour, f"{name} {write(points[-1][1])}") for colour, name, points in named if points)
