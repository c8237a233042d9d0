"""Training of a network that has a rule of its own: a module with a method ``learn``, as the neocognitron.

    learn(images, labels, *, passes, on_progress)      looks at every image ``passes`` times

There are no steps of gradient descent, so events and history know one epoch, the last, and a run that was
interrupted begins again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from striate.errors import TrainingError
from striate.training import events
from striate.training.device import place
from striate.training.evaluate import Evaluation, evaluate
from striate.training.interruption import Interruption
from striate.training.loop import Batches, FitResult
from striate.training.machine import prepared
from striate.training.objective import Objective
from striate.training.reporter import Reporter
from striate.training.settings import TrainSettings
from striate.training.state import State
from striate.training.step import check_fit

Progress = Callable[[int, int], None]


class _Stop(Exception):  # noqa: N818 - not an error: it carries Ctrl-C out of ``learn``
    pass


def has_own_rule(module: nn.Module) -> bool:
    """Whether ``fit_by_own_rule`` is what trains the module."""
    return callable(getattr(module, "learn", None))


def fit_by_own_rule(
    module: nn.Module,
    train: Batches,
    val: Batches | None,
    settings: TrainSettings,
    listeners: Sequence[events.Listener] = (),
    folder: Path | None = None,
    *,
    objective: Objective | None = None,
    data: str = "",
    resume: bool = False,
    on_progress: Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> FitResult:
    """``loop.fit`` for a module with ``learn``: the same arguments, events and checkpoint, the same errors.

    The module sees the images of epoch 0 of ``train``, ``settings.epochs`` times. Of the other settings only
    seed, batch size (what fills no batch is left out) and those of the device have a meaning here, and of
    objectives only that of one class an image. Raises TrainingError for labels.
    """
    objective = objective or Objective()
    if objective.task == "labels":
        raise TrainingError(
            "A network that learns by a rule of its own must be given one class an image, got labels: choose "
            "another network, see striate models."
        )
    placement = place(settings)
    with prepared(placement):
        state = State(module, settings, placement, folder, data)
        reporter = Reporter(state, settings, settings.epochs, listeners, clock)
        reporter.started(1, state.resume(reporter.warn) if resume else None)
        evaluation = None
        if state.epoch < settings.epochs:
            images, labels = (
                torch.cat(parts).to(placement.device) for parts in zip(*train.epoch(0), strict=True)
            )
            check_fit(module, images, labels, placement, objective)
            if not _learn(module, images.float(), labels, settings.epochs, on_progress):
                reporter.interrupted()
                return FitResult(0, reporter.seconds, True, None, None)
            reporter.require_finite_weights()
            seconds = reporter.seconds
            known = evaluate(module, train.epoch(0), placement)
            evaluation = evaluate(module, val.epoch(0), placement) if val is not None else None
            state.step = state.epoch = settings.epochs
            reporter.emit(_learnt(settings.epochs, known, evaluation, seconds))
            path = state.save()
            if path is not None:
                reporter.emit(events.CheckpointSaved(state.epoch, state.step, path))
        reporter.emit(events.RunEnded(settings.epochs, state.step, reporter.seconds))
        return FitResult(state.step, reporter.seconds, False, state.checkpoint, evaluation)


def _learn(
    module: nn.Module, images: Tensor, labels: Tensor, passes: int, on_progress: Progress | None
) -> bool:
    """Let the module learn; False when it was interrupted."""
    learner: Any = module
    interruption = Interruption()

    def told(done: int, total: int) -> None:
        if on_progress is not None:
            on_progress(done, total)
        if interruption.asked:
            raise _Stop

    with interruption:
        try:
            learner.learn(images, labels, passes=passes, on_progress=told)
        except _Stop:
            return False
    return True


def _learnt(passes: int, known: Evaluation, held_out: Evaluation | None, seconds: float) -> events.EpochEnded:
    """The one line of the history; there is no learning rate."""
    return events.EpochEnded(
        epoch=passes,
        step=passes,
        lr=0.0,
        train_loss=known.loss,
        train_accuracy=known.accuracy,
        val_loss=held_out.loss if held_out is not None else None,
        val_accuracy=held_out.accuracy if held_out is not None else None,
        images_per_second=passes * known.images / seconds,
        data_wait_share=0.0,
        seconds=seconds,
    )
