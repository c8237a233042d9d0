"""``striate predict RUN_OR_BUNDLE IMAGE...``: what is in these pictures? Needs no PyTorch."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from striate.cli.answer import JsonOption, emit, next_steps, say


def register(app: typer.Typer) -> None:
    app.command()(predict)


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="A run folder or a bundle folder.")],
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Files, folders, or - for stdin.")],
    top: Annotated[int, typer.Option(min=1, help="How many classes to name for each image.")] = 3,
    as_json: JsonOption = False,
) -> None:
    """Say what is in images, with the network of a run or of a bundle."""
    from striate import api

    sources: list[str | bytes] = [sys.stdin.buffer.read() if image == "-" else image for image in images]
    predictions = api.predict(run, sources, top=top)
    if as_json:
        emit([asdict(prediction) for prediction in predictions])
        return
    width = max(len(prediction.key) for prediction in predictions)
    for prediction in predictions:
        best = ", ".join(f"{label} {share:.1%}" for label, share in prediction.top)
        say(f"{prediction.key:<{width}}  {best}")
    next_steps((f"striate predict {run} {images[0]} --json", "the same, for programs"))
