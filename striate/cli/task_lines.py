"""A line for each task that is under way, put together as text.

rich's table of columns takes three times as long, and what is drawn while a network trains takes its time
from the training: see bench/monitoring.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.progress import Progress, Task
from rich.text import Text

WIDTH = 24  # of the bar, in characters


class TaskLines(Progress):
    """Description, bar, done/total, what ``fields["rate"]`` says, and the time that is left."""

    def get_renderables(self) -> Iterator[Text]:
        for task in self.tasks:  # none yet when rich asks for the first time, before there is a console
            if task.visible:
                full, half = "- " if self.console.options.ascii_only else "\u2501\u2578"
                yield _line(task, full, half)


def _line(task: Task, full: str, half: str) -> Text:
    total = task.total or 0
    halves = int(2 * WIDTH * min(1.0, task.completed / total)) if total else 0
    done = full * (halves // 2) + half * (halves % 2)
    return Text.assemble(
        Text.from_markup(task.description),
        " ",
        (done, "bar.complete"),
        (full * (WIDTH - len(done)), "bar.back"),
        " ",
        (f"{int(task.completed)}/{int(total)}", "progress.download"),
        f" {task.fields['rate']} " if task.fields["rate"] else " ",
        (_left(task.time_remaining), "progress.remaining"),
        no_wrap=True,
        overflow="ellipsis",
    )


def _left(seconds: float | None) -> str:
    """ "02:31", "1:02:31", or "--:--" where it is not known yet."""
    if seconds is None:
        return "--:--"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
