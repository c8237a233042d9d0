"""``budget``: how many epochs fit into a time, measured before the first step and then never again.

The number is written down like any other choice; from there on nothing measured decides anything, so that a
run which is resumed, or repeated on another machine, is the same run.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from striate.api.pace import Pace, measure
from striate.errors import ArgumentError

if TYPE_CHECKING:
    from torch import nn

    from striate.api.choices import Choice
    from striate.data.dataset import Dataset

STEPS = 6  # measured at least
FOR_MEASURING = 0.01  # share of the budget: six steps promised 5 epochs in 300 s that took 314
LONGEST_MEASURING = 20.0  # seconds
FOR_THE_REST = 0.035  # share of the budget that is left for the network's capture, the bundle and the report
SLOWER = 1.05  # than in the seconds of the measurement: 15 minutes took 936 s, without this
MOST_EPOCHS = 300  # more seldom help, however much time there is
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_PARTS = re.compile(r"(\d+(?:\.\d+)?)([smh]?)")


def seconds_of(budget: str | float) -> float:
    """Seconds in "90", "90s", "10m", "1h30m" or a number. Raises ArgumentError."""
    text = str(budget).strip().lower()
    parts = _PARTS.findall(text)
    total = sum(float(number) * UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not total > 0:
        raise ArgumentError(f"budget must be a time such as 90s, 10m or 1h30m, got {budget!r}: write it so.")
    return total


def epochs_within(seconds: float, pace: Pace, dataset: Dataset, batch_size: int, passes: int = 1) -> int:
    """The largest number of epochs, up to 300, that end within ``seconds``, final measurement included.

    ``passes``: in how many an image is answered then.

    Raises ArgumentError where not even one does.
    """
    steps = max(1, len(dataset.train) // batch_size)
    val = len(dataset.val) if dataset.val is not None else 0
    last = len(next(dataset.splits[name] for name in ("test", "val", "train") if name in dataset.splits))
    epoch = SLOWER * (steps * pace.step + val * pace.image)
    after = pace.start + passes * (last + val) * pace.image + FOR_THE_REST * seconds
    epochs = int((seconds - after) / epoch)
    if epochs < 1:
        raise ArgumentError(
            f"budget must be time enough for one epoch, which is about {epoch + after:.0f} s here, and "
            f"{max(0.0, seconds):.0f} s are left of it: give more, or use smaller images or another network."
        )
    return min(epochs, MOST_EPOCHS)


def plan(
    choose: Callable[[str | None, int | None], Choice],
    build: Callable[[Choice], nn.Module],
    dataset: Dataset,
    seconds: float,
    larger: str | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """How many epochs fit into ``seconds`` from now, and what was measured, as settings.json keeps it.

    ``choose`` settles the rest for a network (None: the one that was asked for) and a number of epochs.
    Where the ``larger`` network has epochs enough to learn from varied images, it is planned, and "model"
    names it: a small one gains little from many epochs more.
    """
    from striate.training.recipe import augmentation_pays

    began = clock()
    found = _plan(partial(choose, None), build, dataset, seconds, clock)
    if larger is not None and augmentation_pays(found["epochs"]):
        left = seconds - (clock() - began)
        other = _plan(partial(choose, larger), build, dataset, left, clock)
        if augmentation_pays(other["epochs"]):
            return {"model": larger, **other}
    return found


def in_words(planned: Mapping[str, Any], folds: int | None = None) -> str:
    """What a plan says to the user."""
    network = f" of {planned['model']}" if "model" in planned else ""
    each = f", for each of {folds} folds," if folds is not None else ""
    return f"{planned['epochs']} epochs{network}{each} are planned into the {planned['seconds']:g} s."


def _plan(
    choose: Callable[[int | None], Choice],
    build: Callable[[Choice], nn.Module],
    dataset: Dataset,
    seconds: float,
    clock: Callable[[], float],
) -> dict[str, Any]:
    """The plan for one network.

    Batch size and variations, which ``choose`` makes of the number of epochs, change the pace: where they
    differ from what was measured, it is measured once more.
    """
    began, measuring = clock(), min(FOR_MEASURING * seconds, LONGEST_MEASURING)
    before, first = choose(None), True
    while True:
        pace = measure(build(before), dataset, before, STEPS, clock, seconds=measuring)
        left = seconds - (clock() - began)
        passes = 2 if before.settings["test_time_mirror"] else 1
        epochs = epochs_within(left, pace, dataset, int(before.settings["batch_size"]), passes)
        chosen = choose(epochs)
        if not first or _same_work(before, chosen):
            return {
                "seconds_per_step": round(pace.step, 5),
                "seconds_per_evaluated_image": round(pace.image, 6),
                "epochs": epochs,
            }
        before, first = chosen, False


def _same_work(one: Choice, other: Choice) -> bool:
    alike = one.settings["batch_size"] == other.settings["batch_size"]
    return alike and one.augmentation == other.augmentation
