"""``striate check DATA | MODEL``: what is wrong, before a training finds out the slow way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from striate.cli.answer import JsonOption, emit, next_steps, say
from striate.errors import ArgumentError


def register(app: typer.Typer) -> None:
    app.command()(check)


def check(
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA|MODEL", help="A data set, or a network. FILE.py:CLASS executes the file."
        ),
    ] = None,
    size: Annotated[
        str | None, typer.Option("--input", metavar="3x32x32", help="For a network: its input.")
    ] = None,
    root: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="For a CSV: where its paths begin.")
    ] = None,
    rule: Annotated[
        str | None, typer.Option(metavar="NAME", help="Print the page of a rule; 'all' lists them.")
    ] = None,
    sarif: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the findings as SARIF 2.1.0, for code hosts.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Examine a data set or a network. Exit code 1 when something must be mended.

    A module is run on random images; where it fails, the layer, what it received and the mended line are
    printed. Rules are switched on and off in pyproject.toml: select and ignore of tool.striate.check.
    """
    from striate import api
    from striate.cli.progress import StageBars

    if rule is not None:
        _page(rule, as_json)
        return
    if subject is None:
        raise ArgumentError("DATA|MODEL must be given, got nothing: write for example striate check photos/.")
    with StageBars(quiet=as_json) as bars:
        findings = api.check(subject, size, root=root, listeners=[bars])
    if sarif is not None:
        api.write_sarif(findings, sarif)
    if as_json:
        emit(findings.to_json())
    else:
        say(findings.text())
        if findings.ok:
            next_steps(findings.next_step)
    if not findings.ok:
        raise typer.Exit(1)


def _page(name: str, as_json: bool) -> None:
    """The page of one rule, or a line for each."""
    from striate import api

    rules = api.rules()
    if name != "all":
        page = api.rule_page(name)
        emit(rules[name]) if as_json else say(page)
    elif as_json:
        emit(list(rules.values()))
    else:
        width = max(map(len, rules))
        for found in rules.values():
            say(f"{found['name']:<{width}}  {found['severity']:<7}  {found['title']}")
