"""How an answer looks: a sentence or a table for people, JSON for programs, a sentence on stderr for errors.

Answers go to stdout, everything else (progress, warnings, errors) to stderr, so that ``--json`` can be piped.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from striate.errors import StriateError, WeightsWarning

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Side = Literal["left", "right"]
PIPED_WIDTH = 200  # columns of a table that goes to a file: nobody's window is too narrow for it

JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON, on one line of stdout.")]


def leads() -> bool:
    """Whether this process is the only one, or the first of several."""
    return os.environ.get("RANK", "0") == "0"


def fail(error: StriateError) -> int:
    """Print an error and return its exit code; with ``--json`` the answer is an object with "error"."""
    if error.silent or not (leads() or error.apart):
        return error.exit_code
    if "--json" in sys.argv:
        emit({"error": str(error), "kind": type(error).__name__})
    else:
        colours = None if not os.environ.get("NO_COLOR") else False  # https://no-color.org
        typer.secho("error: ", fg="red", bold=True, nl=False, err=True, color=colours)
        typer.echo(str(error), err=True)
    return error.exit_code


def say_stopped() -> None:
    """The answer to Ctrl-C or a polite kill."""
    if not leads():
        return
    if "--json" in sys.argv:
        emit({"error": "Stopped.", "kind": "KeyboardInterrupt"})
    else:
        typer.echo("Stopped.", err=True)


def note_warnings() -> None:
    """From now on a warning of ours is a sentence on stderr, without the line of code it comes from.

    Pillow's are not shown: what matters about a file becomes an ImageError, which names it.
    """
    import warnings

    warnings.filterwarnings("ignore", module=r"PIL\.")

    shown = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, WeightsWarning):
            typer.secho("note: ", fg="yellow", bold=True, nl=False, err=True)
            typer.echo(str(message), err=True)
        else:
            shown(message, category, *place, **more)

    warnings.showwarning = show


def emit(value: Any) -> None:
    """One JSON value on one line."""
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    typer.echo(json.dumps(value, ensure_ascii=plain, allow_nan=False))


def count(number: int, one: str) -> str:
    """``1 epoch``, ``12,000 epochs``."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def of_one_pass(accuracy: float, *, several: bool) -> str:
    """Where answers are means over an image and its mirror image. ``several``: labels an image may have."""
    right = "every label right on" if several else "accuracy"
    return f"each image was answered as it is and mirrored; as it is alone: {right} {accuracy:.2%}"


def say(text: str = "") -> None:
    """A line for a person."""
    typer.echo(text)


def next_steps(*commands: tuple[str, str]) -> None:
    """The last lines of a verb: what to type next, and what it brings."""
    width = max(len(command) for command, _ in commands)
    say()
    say("Next:")
    for command, purpose in commands:
        say(f"  {command:<{width}}  {purpose}")


def screen(*, stderr: bool = False) -> Console:
    """A rich console; imported late, because ``--help`` must come at once."""
    from rich.console import Console

    drawn = Console(stderr=stderr, highlight=False)
    if not drawn.is_terminal:
        drawn.width = PIPED_WIDTH
    return drawn


def table(title: str, columns: Sequence[tuple[str, Side]], rows: Sequence[Sequence[object]]) -> Table:
    """A rich table. ``columns``: (heading, "left" or "right"); the first is the name of the row."""
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(title=escape(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    widths = [
        max(len(str(row[index])) for row in [[h for h, _ in columns], *rows]) for index in range(len(columns))
    ]
    for index, (heading, side) in enumerate(columns):
        prose = side == "left" and index > 0  # names and numbers are kept whole, sentences are cut
        drawn.add_column(
            heading,
            justify=side,
            no_wrap=True,
            overflow="ellipsis",
            min_width=None if prose else widths[index],
        )
    for row in rows:
        drawn.add_row(*(escape(str(cell)) for cell in row))
    return drawn
