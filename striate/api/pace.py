"""How long a step of training takes: a copy of the network is trained for a few, on the images themselves."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from striate.api.choices import objective, training_batches

if TYPE_CHECKING:
    from torch import nn

    from striate.api.choices import Choice
    from striate.data.dataset import Dataset

FIRST = 2  # steps that are not measured: memory is asked for in them, and what is compiled is compiled


@dataclass(frozen=True)
class Pace:
    """In seconds."""

    steps: tuple[float, ...]
    """Each step of training, its images' variation included."""
    image: float
    """One image of an evaluation."""
    start: float
    """The first two steps, in which a network that is to be compiled is compiled."""

    @property
    def step(self) -> float:
        """The mean step."""
        return sum(self.steps) / len(self.steps)


def measure(
    module: nn.Module,
    dataset: Dataset,
    chosen: Choice,
    steps: int,
    clock: Callable[[], float] = time.perf_counter,
    *,
    seconds: float = 0.0,
) -> Pace:
    """Train a copy of ``module`` as ``chosen`` says for ``steps`` steps and at least ``seconds``, and
    evaluate it on one batch."""
    from striate.data.batches import Batches
    from striate.training.compiler import compiled
    from striate.training.convolution import own_convolutions
    from striate.training.device import place
    from striate.training.evaluate import evaluate
    from striate.training.machine import prepared
    from striate.training.optimiser import Optimiser
    from striate.training.settings import TrainSettings
    from striate.training.step import update

    settings = TrainSettings.from_json(chosen.settings)
    placement = place(settings)
    train = training_batches(dataset, settings, chosen.augmentation)
    looked_at = Batches(dataset.train, dataset.preprocessing, settings.batch_size, device=placement.device)
    copied = placement.move(copy.deepcopy(module)).train()
    forward = compiled(copied, placement.device, settings) if placement.compiled else copied
    optimiser, asked = Optimiser(copied, settings), objective(dataset, settings)
    with prepared(placement), own_convolutions(copied, placement):
        batches = (batch for epoch in itertools.count() for batch in train.epoch(epoch))
        times = [clock()]
        while len(times) <= FIRST + steps or times[-1] - times[FIRST] < seconds:
            images, labels = next(batches)
            loss, _ = update(
                forward, optimiser, images, labels.to(placement.device), 1e-6, settings, placement, asked
            )
            loss.item()
            times.append(clock())
        batch = next(looked_at.epoch(0))
        evaluate(copied, [batch], placement)
        began = clock()
        evaluate(copied, [batch], placement)
        image = (clock() - began) / len(batch[1])
    each = [after - before for before, after in itertools.pairwise(times)]
    return Pace(tuple(each[FIRST:]), image, sum(each[:FIRST]))
