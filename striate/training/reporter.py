"""From what the loop measures to the events that listeners hear."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from striate.errors import TrainingError
from striate.training import events, layer_watch, monitor
from striate.training.evaluate import Evaluation
from striate.training.layer_watch import LayerMove
from striate.training.schedule import factor
from striate.training.settings import TrainSettings
from striate.training.state import State
from striate.training.tally import Stopwatch

SECONDS_BETWEEN_REPORTS = 0.25


class Reporter:
    """Emits events about ``state``, and stops a training whose numbers are no longer numbers."""

    def __init__(
        self,
        state: State,
        settings: TrainSettings,
        total_steps: int,
        listeners: Sequence[events.Listener],
        clock: Callable[[], float],
    ) -> None:
        self._state, self._settings, self._total_steps = state, settings, total_steps
        self._listeners, self._clock = listeners, clock
        self._began = self._reported = clock()
        self._said: set[str] = set()
        self._silence = monitor.Silence()
        self._said_torn = False

    @property
    def seconds(self) -> float:
        """Time since the beginning, in this process."""
        return self._clock() - self._began

    def lr(self, step: int) -> float:
        """Learning rate of step ``step``, from 0."""
        return self._settings.lr * factor(step, self._total_steps, self._settings)

    def emit(self, event: events.Event) -> None:
        for listener in self._listeners:
            listener(event)

    def started(self, steps_per_epoch: int, resumed_from: Path | None) -> None:
        placement = self._state.placement
        self.emit(
            events.RunStarted(
                epochs=self._settings.epochs,
                steps_per_epoch=steps_per_epoch,
                total_steps=self._total_steps,
                step=self._state.step,
                parameters=sum(p.numel() for p in self._state.module.parameters() if p.requires_grad),
                device=placement.device,
                precision=placement.precision,
                own_convolutions=placement.own_convolutions,
                threads=placement.threads,
                resumed_from=resumed_from,
                whole_epochs=self._state.epoch,
            )
        )

    def epoch_started(self) -> None:
        state = self._state
        self.emit(events.EpochStarted(state.epoch + 1, self._settings.epochs, state.step, self._total_steps))

    def step_done(self, watch: Stopwatch, last_of_epoch: bool) -> None:
        """At most four times a second, so that telling does not slow the training down."""
        now = self._clock()
        if now - self._reported < SECONDS_BETWEEN_REPORTS and not last_of_epoch:
            return
        self._reported = now
        loss, accuracy = self._state.tally.read()
        self.require_numbers(loss)
        self.emit(
            events.StepDone(
                epoch=self._state.epoch + 1,
                step=self._state.step,
                total_steps=self._total_steps,
                loss=loss,
                accuracy=accuracy,
                images_per_second=watch.images_per_second(),
                lr=self.lr(self._state.step - 1),
                eta_seconds=(self._total_steps - self._state.step) * watch.seconds_per_step(),
                data_wait_share=watch.wait_share(),
            )
        )

    def epoch_ended(
        self,
        watch: Stopwatch,
        evaluation: Evaluation | None,
        moves: Sequence[LayerMove],
        units: Sequence[monitor.Units],
    ) -> None:
        """``watch`` was stopped before the evaluation: time, rate and waiting are those of the steps."""
        if watch.wait_share() > monitor.LONG_WAIT and watch.seconds > 1:
            self.warn(monitor.ADVICE_FOR_WAITING)
        torn = layer_watch.advice(moves)
        if torn is not None and not self._said_torn:
            self._said_torn = True
            self.warn(torn)
        for sentence in self._silence.advice(units):
            self.warn(sentence)
        loss, accuracy = self._state.tally.read()
        self.emit(
            events.EpochEnded(
                epoch=self._state.epoch + 1,
                step=self._state.step,
                lr=self.lr(self._state.step - 1),
                train_loss=loss,
                train_accuracy=accuracy,
                val_loss=evaluation.loss if evaluation is not None else None,
                val_accuracy=evaluation.accuracy if evaluation is not None else None,
                images_per_second=watch.images_per_second(),
                data_wait_share=watch.wait_share(),
                seconds=watch.seconds,
                dead_relu_share=monitor.dead_share(units),
                moves=tuple(moves),
                units=tuple(units),
            )
        )

    def interrupted(self) -> None:
        state = self._state
        self.emit(events.Interrupted(state.epoch + 1, state.step, self._total_steps, state.checkpoint))

    def warn(self, message: str) -> None:
        """Emit a warning, each sentence once in a run."""
        if message not in self._said:
            self._said.add(message)
            self.emit(events.Warned(message))

    def compiling(self, kernels: int) -> None:
        self.emit(events.Compiling(kernels))

    def require_numbers(self, loss: float) -> None:
        """Raises TrainingError when ``loss`` is infinite or not a number."""
        if not math.isfinite(loss):
            self._give_up("The loss is no longer a number")

    def require_finite_weights(self) -> None:
        """Raises TrainingError when a weight is infinite or not a number."""
        if not monitor.all_finite(self._state.module):
            self._give_up("A weight is no longer a number")

    def _give_up(self, what: str) -> None:
        state, kept = self._state, self._state.checkpoint
        raise TrainingError(
            f"{what} in epoch {state.epoch + 1}, step {state.step} of {self._total_steps}, at learning rate "
            f"{self.lr(max(0, state.step - 1)):.3g}: train again with a lower lr (for example "
            f"{self._settings.lr / 4:.3g}), a longer warmup or grad_clip=1"
            + (f"; the last good checkpoint is {kept}." if kept is not None else ".")
        )
