"""Draws events on stderr: a bar with rate and ETA while something works, a line for each epoch."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from striate.api.stages import Noted, Stage
from striate.cli.answer import count, screen

if TYPE_CHECKING:
    from rich.progress import TaskID


class StageBars:
    """A listener that draws a bar for each ``Stage``, a line for each ``Noted``. Use it in a ``with``."""

    def __init__(self, *, quiet: bool = False) -> None:
        from striate.cli.task_lines import TaskLines

        self.screen = screen(stderr=True)
        self.screen.quiet = quiet
        self.bars = TaskLines(
            console=self.screen,
            transient=True,
            refresh_per_second=2,  # a drawing takes its time from the training: see bench/monitoring.py
            disable=quiet or not self.screen.is_terminal or self.screen.is_dumb_terminal,
        )
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> StageBars:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def __call__(self, event: Any) -> None:
        match event:
            case Stage(what, done, total):
                self._advance(what, done, total)
            case Noted(message):
                self.line(f"[dim]note:[/dim] {_plain(message)}")

    def line(self, text: str) -> None:
        """A line that stays, above the bars."""
        self.screen.print(text, soft_wrap=True)

    def _advance(self, what: str, done: int, total: int) -> None:
        if what not in self.tasks:
            self.tasks[what] = self.bars.add_task(_plain(what), total=total, rate="")
        self.bars.update(self.tasks[what], completed=done, total=total)
        if done >= total:
            self.bars.remove_task(self.tasks.pop(what))


class TrainingProgress(StageBars):
    """Also draws the events of a training: rate, loss and accuracy beside the bar, a line an epoch."""

    epochs = 0

    def __call__(self, event: Any) -> None:
        from striate.training import events as happened

        match event:
            case happened.RunStarted():
                self._started(event)
            case happened.StepDone():
                self._stepped(event)
            case happened.EpochEnded():
                self._epoch_ended(event)
            case happened.Warned():
                self.line(f"[yellow]warning:[/yellow] {_plain(event.message)}")
            case happened.Compiling():
                kernels = count(event.kernels, "kernel")
                self.line(f"compiling {kernels} for the network's convolutions, kept for next time")
            case happened.BestKept():
                self.line(
                    f"no better for {event.of - event.epoch} epochs: the weights of epoch {event.epoch} "
                    f"are kept (held out {event.accuracy:.2%})"
                )
            case happened.RunEnded():
                self._advance("training", 1, 1)
            case _:
                super().__call__(event)

    def __enter__(self) -> TrainingProgress:
        super().__enter__()
        return self

    def _started(self, event: Any) -> None:
        self.epochs = event.epochs
        self._advance("training", event.step, event.total_steps)
        self.line(
            f"{count(event.parameters, 'parameter')}, {count(event.epochs, 'epoch')} of "
            f"{count(event.steps_per_epoch, 'step')}, {event.device} {event.precision}, "
            f"{count(event.threads, 'thread')}{', compiled convolutions' if event.own_convolutions else ''}"
        )
        if event.resumed_from is not None:
            self.line(f"resumed at step {event.step:,} of {event.total_steps:,} from {event.resumed_from}")

    def _stepped(self, event: Any) -> None:
        self._advance("training", min(event.step, event.total_steps - 1), event.total_steps)
        if "training" in self.tasks:
            waiting = f", waits for data {event.data_wait_share:.0%}" if event.data_wait_share > 0.2 else ""
            self.bars.update(
                self.tasks["training"],
                description=f"epoch {event.epoch}/{self.epochs}",
                rate=f"{event.images_per_second:,.0f} images/s  loss {event.loss:.3f}  "
                f"accuracy {event.accuracy:.1%}{waiting}",
            )

    def _epoch_ended(self, event: Any) -> None:
        held_out = (
            "" if event.val_accuracy is None else f"  held out {event.val_loss:.3f} {event.val_accuracy:6.2%}"
        )
        rate = (
            f"  {event.images_per_second:,.0f} images/s" if event.images_per_second else ""
        )  # all done before
        self.line(
            f"epoch {event.epoch:>3}/{self.epochs}  loss {event.train_loss:.3f} {event.train_accuracy:6.2%}"
            f"{held_out}{rate}"
        )


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
