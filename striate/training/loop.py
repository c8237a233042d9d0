"""``fit``: epochs, steps, evaluation, checkpoints, and what happens when it must stop.

What a step does depends on the seed and on the step's number, never on how many processes it took to get
there; therefore a run that was killed and resumed ends with the same weights, bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from striate.errors import CheckpointError, TrainingError
from striate.training import events, fine_tuning, monitor, synced_norm
from striate.training.compiler import compiled_if_it_can_be
from striate.training.convolution import Changed, own_convolutions
from striate.training.device import Placement, place, told
from striate.training.evaluate import Evaluation, evaluate_together
from striate.training.interruption import Interruption
from striate.training.layer_watch import LayerMove, LayerWatch
from striate.training.machine import prepared
from striate.training.objective import Objective
from striate.training.reporter import Reporter
from striate.training.seeds import seed_step
from striate.training.settings import TrainSettings
from striate.training.state import State
from striate.training.step import check_fit, rehearse, update
from striate.training.tally import Stopwatch
from striate.training.team import Team

IMAGES_TO_START_FROM = 2048  # enough patches for the covariance of a first layer's window

Batch = tuple[Tensor, Tensor]
"""Images (N, C, H, W), normalised floats, and what is asked about them: see ``objective``."""


class Batches(Protocol):
    """A split of the images. What step s of epoch e yields is a function of (seed, e, s) alone."""

    def __len__(self) -> int:
        """Steps in one epoch."""

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """The batches of epoch ``epoch`` (from 0), beginning with that of step ``start_step``."""

    def size(self, step: int) -> int:
        """Images in the batch of a step, all processes' together. Asked for only where there are several."""

    def whole(self) -> Batches:
        """The batches as a single process sees them. Asked for only where there are several."""


@dataclass(frozen=True)
class FitResult:
    """How a training ended. The module holds the final weights, unless it was interrupted."""

    steps: int
    """Steps done since the beginning of the run."""
    seconds: float
    """Time in this process."""
    interrupted: bool
    checkpoint: Path | None
    """The last checkpoint."""
    evaluation: Evaluation | None
    """The last validation; None without a split for it, and when nothing was left to do."""


def fit(
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
    team: Team | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> FitResult:
    """Train ``module`` in place on ``train``, evaluating on epoch 0 of ``val`` after every epoch.

    ``objective``: None asks for one class an image, with the settings' label smoothing.
    ``folder`` receives the checkpoints (none are written without it); ``data`` is the fingerprint of the
    data that they belong to. With ``resume`` the newest whole checkpoint there is continued, if there is
    one. A module with a method ``initialise_from(images)`` is shown 2,048 training images before step 0.

    ``team``: the processes that train together, each of which calls this with its part of ``train``
    (``data.Batches(part=...)``) and all of ``val``; the lead writes, and its listeners hear.

    SIGINT and SIGTERM end it after the current step, with a checkpoint. Raises TrainingError (a loss that
    is not a number, a network that does not fit the data), CheckpointError (disk), RunError (the checkpoint
    belongs to other data, other settings or another network).
    """
    if len(train) < 1:
        raise TrainingError("There is no whole batch to train on: give more images, or a smaller batch_size.")
    placement, team = place(settings), team or Team()
    synced = synced_norm.synchronised(module, team, placement.device, settings.sync_bn)
    with prepared(placement), own_convolutions(module, placement) as own, synced:
        tuning = fine_tuning.planned(
            placement.move(module), lambda: next(train.epoch(0))[0], settings, placement
        )
        tuning.between_epochs(module)  # so that the optimiser leaves alone what is frozen throughout
        state = State(module, settings, placement, folder, data, tuning.lr_shares, team)
        heard = listeners if team.leads else ()
        reporter = Reporter(state, settings, settings.epochs * len(train), heard, clock)
        own.tell = reporter.compiling
        objective = objective or Objective(label_smoothing=settings.label_smoothing)
        fit = _Fit(train, val, settings, objective, placement, state, reporter, tuning, clock, own)
        return fit.run(resume)


class _Stop(Exception):  # noqa: N818 - not an error: it carries Ctrl-C out of the loops
    pass


class _Fit:
    """The parts of one training, so that its stages need not hand them to each other."""

    def __init__(
        self,
        train: Batches,
        val: Batches | None,
        settings: TrainSettings,
        objective: Objective,
        placement: Placement,
        state: State,
        reporter: Reporter,
        tuning: fine_tuning.FineTuning,
        clock: Callable[[], float],
        own: Changed,
    ) -> None:
        self.train, self.val, self.settings, self.placement = train, val, settings, placement
        self.objective = objective
        self.state, self.reporter, self.tuning, self.clock = state, reporter, tuning, clock
        self.module, self.team, self.own = state.module, state.team, own
        self.forward: nn.Module = state.module
        self.layers = LayerWatch(state.module)
        self.interruption = Interruption()
        self.evaluation: Evaluation | None = None

    def run(self, resume: bool) -> FitResult:
        resumed_from = self.state.resume(self.reporter.warn) if resume else None
        if self.state.step == 0:
            self._look_at_the_data()
        self.state.follow_the_lead()
        synced_norm.warn_of_small_parts(self.module, self.team, self.settings, self.reporter.warn)
        self.reporter.started(len(self.train), resumed_from)
        for sentence in told(self.settings, self.placement) if resumed_from is None else ():
            self.reporter.warn(sentence)
        prepared = self._prepared()
        interrupted = False
        with self.interruption:
            try:
                while self.state.epoch < self.settings.epochs and not self.state.has_lost_patience:
                    self._stop_if_asked()
                    self._epoch(prepared)
            except _Stop:
                interrupted = True
                self._save()
        self.tuning.end(self.module)
        seconds = self.reporter.seconds
        if interrupted:
            self.reporter.interrupted()
        else:
            self._finish()
            self.reporter.emit(events.RunEnded(self.state.epoch, self.state.step, seconds))
        return FitResult(self.state.step, seconds, interrupted, self.state.checkpoint, self.evaluation)

    def _finish(self) -> None:
        """Leave the final weights in the module, and say which they are where it is not the last epoch's."""
        best = self.state.best
        try:
            self.state.finish()
        except CheckpointError as error:
            self.reporter.warn(f"{error} The weights of the last epoch are kept instead of the best one's.")
            return
        if self.settings.patience is not None and best is not None and best.step != self.state.step:
            self.reporter.emit(events.BestKept(best.epoch, self.state.epoch, best.accuracy))

    def _look_at_the_data(self) -> None:
        """Check that network and data fit, and let the network start from the images if it can."""
        batches = self.train.epoch(0)
        images, labels = next(batches)
        self.own.prepare(images)
        check_fit(self.module, images, labels, self.placement, self.objective)
        initialise = getattr(self.module, "initialise_from", None)
        if initialise is None or not self.team.leads:
            return
        if self.team.size > 1:
            batches = self.train.whole().epoch(0)
            images = next(batches)[0]
        seen = [images]
        while sum(map(len, seen)) < IMAGES_TO_START_FROM and (batch := next(batches, None)) is not None:
            seen.append(batch[0])
        initialise(torch.cat(seen)[:IMAGES_TO_START_FROM].float().to(self.placement.device))
        self.state.begin_average()

    def _prepared(self) -> nn.Module:
        """The network as it runs forward in training."""
        if not self.placement.compiled or self.state.epoch >= self.settings.epochs:
            return self.module
        self.tuning.begin_epoch(self.module, self.state.epoch)
        device = self.placement.device
        return compiled_if_it_can_be(self.module, device, self.settings, self._rehearse, self.reporter.warn)

    def _epoch(self, prepared: nn.Module) -> None:
        """The rest of the current epoch: its steps, its evaluation, its checkpoint."""
        watch = Stopwatch(self.clock)
        self.reporter.epoch_started()
        self.tuning.begin_epoch(self.module, self.state.epoch)
        self.forward = self.team.share(prepared, self._rehearse)
        saved = self.clock()
        moves: tuple[LayerMove, ...] = ()
        rest = self.train.epoch(self.state.epoch, start_step=self.state.step_in_epoch)
        for images, labels in watch.waiting_for(rest):
            last = self.state.step_in_epoch == len(self.train) - 1
            if last:
                self.layers.before()
            self._step(images, labels)
            moves = self.layers.after() if last else ()
            watch.count(self._whole(self.state.step_in_epoch - 1, labels))
            self.reporter.step_done(watch, last_of_epoch=self.state.step_in_epoch == len(self.train))
            stop, due = self.team.any(self.interruption.asked, self._is_due(saved))
            if due:
                self._save()
                saved = self.clock()
            if stop:
                raise _Stop
        watch.stop()
        units = self._evaluate()
        self.reporter.epoch_ended(watch, self.evaluation, moves, units)
        self.state.next_epoch()
        self._save()

    def _rehearse(self, forward: nn.Module) -> None:
        """Two images forward and back, a whole batch where each size is compiled; only gradients stay."""
        start = min(self.state.step_in_epoch, len(self.train) - 1)
        most = None if self.placement.compiled else 2
        images, labels = (part[:most] for part in next(self.train.epoch(self.state.epoch, start)))
        rehearse(forward, self.module, images, labels, self.placement, self.objective)

    def _step(self, images: Tensor, labels: Tensor) -> None:
        state = self.state
        self.own.prepare(images)  # of a run that is resumed
        seed_step(self.settings.seed, state.step)
        labels = labels.to(self.placement.device, non_blocking=True)
        lr = self.reporter.lr(state.step)
        whole = self._whole(state.step_in_epoch, labels)
        own = self.team.own(whole) if self.team.size > 1 else whole  # none: one image came for its shape
        synced_norm.count_absent(own == 0)
        loss, right = update(
            self.forward, state.optimiser, images, labels, lr, self.settings, self.placement, self.objective,
            share=own * self.team.size / whole,
            parts=max(1, min(self.settings.accumulate, whole // self.team.size)),  # as many in every process
        )  # fmt: skip
        state.count(loss, right, own)
        if self.placement.device == "cpu":  # a GPU would have to be waited for; there the reports look
            self.reporter.require_numbers(loss.item())

    def _evaluate(self) -> list[monitor.Units]:
        """Evaluate on ``val``; returns how the activations answer to some of its images."""
        self.reporter.require_finite_weights()
        if self.val is None:
            return []
        with self.state.final_weights():
            self.team.follow(self.module.buffers())  # running statistics of the lead's
            units: list[monitor.Units] = []
            first = monitor.watching(self.module, units)
            self.evaluation = evaluate_together(
                self.module, self.val, self.placement, self.team, self._stop_if_asked, around_first=first
            )
        self.state.judge(self.evaluation)
        return units

    def _is_due(self, saved: float) -> bool:
        """Whether it is time for a checkpoint within the epoch; ``saved``: when the last one was written."""
        often, minutes = self.settings.checkpoint_steps, self.settings.checkpoint_minutes
        return (often is not None and self.state.step % often == 0) or self.clock() - saved >= 60 * minutes

    def _whole(self, step: int, labels: Tensor) -> int:
        """Images in the batch of a step of the epoch, those of the other processes included."""
        return self.train.size(step) if self.team.size > 1 else len(labels)

    def _save(self) -> None:
        """A checkpoint, but never one with weights that are not numbers."""
        self.reporter.require_finite_weights()
        if (path := self.state.save()) is not None:
            self.reporter.emit(events.CheckpointSaved(self.state.epoch, self.state.step, path))

    def _stop_if_asked(self, _: object = None) -> None:
        (stop,) = self.team.any(self.interruption.asked)
        if stop:
            raise _Stop
