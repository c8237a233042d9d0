"""``striate report RUN``: write the page about a run again, and say where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from striate.cli.answer import JsonOption, emit, next_steps, say
from striate.errors import command


def register(app: typer.Typer) -> None:
    app.command()(report)


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write report.html of a run: one file, no network, readable on a phone."""
    from striate import api

    page = api.report(run)
    if as_json:
        emit({"report": str(page)})
    else:
        say(f"report: {page}")
        next_steps((command("report", run, "--open"), "see it in the browser"))
    if show:
        typer.launch(page.resolve().as_uri())
