"""``striate evaluate RUN DATA``: how often is this run right on these images?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from striate.cli.answer import JsonOption, Side, emit, next_steps, of_one_pass, say, screen, table
from striate.errors import command


def register(app: typer.Typer) -> None:
    app.command()(evaluate)


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="What striate train takes.")],
    split: Annotated[
        str | None, typer.Option(help="train, val or test (default: the last there is).")
    ] = None,
    root: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="For a CSV: where its paths begin.")
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave unreadable images out.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure a run on a data set: accuracy, loss and the classes it confuses."""
    from striate import api
    from striate.cli.progress import StageBars

    with StageBars(quiet=as_json) as bars:
        evaluation = api.evaluate(run, data, split=split, root=root, skip_bad=skip_bad, listeners=[bars])
    if as_json:
        emit(evaluation.to_json())
        return
    share = f"accuracy {evaluation.accuracy:.2%}"
    if evaluation.mean_average_precision is not None:
        share = f"mean average precision {evaluation.mean_average_precision:.3f}, every label right on "
        share += f"{evaluation.accuracy:.2%}"
    if evaluation.top5 is not None:
        share += f", top-5 {evaluation.top5:.2%}"
    say(f"{share}, loss {evaluation.loss:.4f} on {evaluation.images:,} images ({evaluation.split})")
    if evaluation.one_pass is not None:
        say(of_one_pass(evaluation.one_pass, several=evaluation.mean_average_precision is not None))
    if evaluation.folds is not None:
        each = ", ".join(f"{share:.2%}" for share in evaluation.folds)
        say(f"that is the mean of {len(evaluation.folds)} networks; each alone: {each}")
    columns: list[tuple[str, Side]] = [
        ("class", "left"),
        ("images", "right"),
        ("precision", "right"),
        ("recall", "right"),
    ]
    rows = [
        (line["class"], line["support"], _share(line["precision"]), _share(line["recall"]))
        for line in evaluation.per_class
    ]
    screen().print(table("", columns, rows))
    next_steps((command("report", run), "the page about this run"))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
