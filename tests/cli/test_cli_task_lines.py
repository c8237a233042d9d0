"""The lines of tasks that are under way."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from striate.cli.task_lines import TaskLines


def drawn(encoding: str, completed: int, total: int, rate: str = "") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=100, force_terminal=True, color_system=None)
    lines = TaskLines(console=console, auto_refresh=False)
    lines.add_task("[bold]reading[/bold]", completed=completed, total=total, rate=rate)
    with console.capture() as capture:
        console.print(lines.get_renderable())
    return capture.get()


@pytest.mark.parametrize(
    ("encoding", "completed", "total", "bar"),
    [
        ("utf-8", 0, 7, "━" * 24),
        ("utf-8", 25, 96, "━" * 6 + "━" * 18),
        ("utf-8", 26, 96, "━" * 6 + "╸" + "━" * 17),
        ("utf-8", 9, 7, "━" * 24),
        ("utf-8", 0, 0, "━" * 24),
        ("ascii", 1, 2, "-" * 24),
    ],
)
def test_a_line(encoding, completed, total, bar):
    assert drawn(encoding, completed, total, "12 images/s") == (
        f"reading {bar} {completed}/{total} 12 images/s --:--\n"
    )


def test_no_rate_and_the_time_left():
    from striate.cli.task_lines import _left

    assert drawn("utf-8", 0, 7) == f"reading {'━' * 24} 0/7 --:--\n"
    assert [_left(seconds) for seconds in (None, 59.9, 151, 3751)] == ["--:--", "00:59", "02:31", "1:02:31"]
