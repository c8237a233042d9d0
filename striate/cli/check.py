"""``striate check DATA | MODEL``: what is wrong, before a training finds out the slow way."""

from __future__ import annotations

from typing import Annotated

import typer

from striate.cli.answer import JsonOption, emit, next_steps, say


def register(app: typer.Typer) -> None:
    app.command()(check)


def check(
    subject: Annotated[str, typer.Argument(metavar="DATA|MODEL", help="A data set, or a network.")],
    size: Annotated[
        str | None, typer.Option("--input", metavar="3x32x32", help="For a network: its input.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Examine a data set or a network. Exit code 1 when something must be mended."""
    from striate import api
    from striate.cli.progress import StageBars

    with StageBars(quiet=as_json) as bars:
        findings = api.check(subject, size, listeners=[bars])
    if as_json:
        emit(findings.to_json())
    else:
        say(findings.text())
        if findings.ok:
            next_steps(findings.next_step)
    if not findings.ok:
        raise typer.Exit(1)
