"""The learning rate range test: a short training at ever higher rates, to see where learning is fastest.

Leslie Smith, "Cyclical learning rates for training neural networks", 2017, arXiv:1506.01186, section 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import nn

from striate.errors import TrainingError
from striate.training import fine_tuning
from striate.training.convolution import own_convolutions
from striate.training.device import place
from striate.training.loop import Batches
from striate.training.machine import prepared
from striate.training.objective import Objective
from striate.training.optimiser import Optimiser
from striate.training.seeds import seed_step
from striate.training.settings import TrainSettings
from striate.training.step import check_fit, update

LOWEST, HIGHEST = 1e-5, 3.0
STEPS = 100
MEMORY = 0.9  # share of the running loss kept per step
DIVERGED = 3.0  # running losses over the lowest at which the test ends
FEWEST = 10  # steps before it may end


@dataclass(frozen=True)
class RangeTest:
    """Rates in rising order, the running loss (nats) at each, and what follows from them."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float
    """The rate at which the loss falls fastest."""
    lowest: float
    """The rate at which the loss is lowest: from here on learning begins to fail."""

    def to_json(self) -> dict[str, Any]:
        return {
            "suggestion": self.suggestion,
            "lowest_at": self.lowest,
            "rates": list(self.rates),
            "losses": list(self.losses),
        }


def range_test(
    module: nn.Module,
    train: Batches,
    settings: TrainSettings,
    objective: Objective | None = None,
    *,
    steps: int = STEPS,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> RangeTest:
    """Train ``module``, which is spent afterwards, for up to ``steps`` batches at rates from 1e-5 to 3.

    Epochs follow each other as in a training. It ends early where the running loss is three times its lowest.
    Raises TrainingError: no batch, a network that does not fit the data, a loss that is no number at once.
    """
    placement = place(settings)
    objective = objective or Objective(label_smoothing=settings.label_smoothing)
    rates: list[float] = []
    losses: list[float] = []
    running = 0.0
    with prepared(placement), own_convolutions(module, placement) as own:
        module = placement.move(module)
        batches = _endless(train)
        first = next(batches, None)
        if first is None:
            raise TrainingError(
                "There is no whole batch to train on: give more images, or a smaller batch_size."
            )
        own.prepare(first[0])
        check_fit(module, first[0], first[1], placement, objective)
        tuning = fine_tuning.plan(
            module, None, replace(settings, freeze=None, head_epochs=0, first_layer_lr=1.0)
        )
        initialise = getattr(module, "initialise_from", None)
        if initialise is not None:
            initialise(first[0].float().to(placement.device))
        optimiser = Optimiser(module, settings)
        tuning.begin_epoch(module, 0)
        for step in range(steps):
            rate = LOWEST * (HIGHEST / LOWEST) ** (step / max(1, steps - 1))
            seed_step(settings.seed, step)
            images, labels = first if step == 0 else next(batches)
            labels = labels.to(placement.device, non_blocking=True)
            loss, _ = update(module, optimiser, images, labels, rate, settings, placement, objective)
            running = MEMORY * running + (1 - MEMORY) * float(loss)
            corrected = running / (1 - MEMORY ** (step + 1))
            on_progress(step + 1, steps)
            if not math.isfinite(corrected):
                break
            rates.append(rate)
            losses.append(corrected)
            if step >= FEWEST and corrected > DIVERGED * min(losses):
                break
    on_progress(steps, steps)
    return _read(rates, losses)


def _endless(train: Batches) -> Any:
    epoch = 0
    while len(train):
        yield from train.epoch(epoch)
        epoch += 1


def _read(rates: list[float], losses: list[float]) -> RangeTest:
    """The suggestion: where the running loss falls most steeply over the logarithm of the rate."""
    if len(rates) < FEWEST:
        raise TrainingError(
            f"The loss is no longer a number after {len(rates)} steps at the lowest rates: look at the "
            "images with striate check, or use another network."
        )
    lowest = int(np.argmin(losses))
    falls = np.gradient(np.asarray(losses), np.log(rates))[: max(2, lowest + 1)]
    steepest = int(np.argmin(falls))
    return RangeTest(tuple(rates), tuple(losses), rates[steepest], rates[lowest])
