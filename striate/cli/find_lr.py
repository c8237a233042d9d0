"""``striate find-lr DATA``: which learning rate to begin with, and a picture that says why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from striate.cli import training_options as options
from striate.cli.answer import JsonOption, emit, next_steps, say
from striate.errors import command


def register(app: typer.Typer) -> None:
    app.command("find-lr")(find_lr)


def find_lr(
    data: Annotated[str | None, typer.Argument(metavar="[DATA]", help="As for striate train.")] = None,
    model: Annotated[str, typer.Option(help="A name from striate models, or auto.")] = "auto",
    image_size: Annotated[
        str | None, typer.Option(metavar="ROWSxCOLUMNS", help="Size to bring images to.")
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave unreadable images out.")] = False,
    steps: Annotated[int, typer.Option(help="Batches to try, each at a higher rate.")] = 100,
    out: Annotated[Path, typer.Option(help="The picture: .svg, .png or .pdf.")] = Path("lr.svg"),
    weights: options.Weights = None,
    activation: options.Activation = None,
    optimiser: options.Optimiser = None,
    batch_size: options.BatchSize = None,
    seed: options.Seed = None,
    threads: options.Threads = None,
    as_json: JsonOption = False,
) -> None:
    """Find a learning rate: a short throw-away training at ever higher rates (arXiv:1506.01186)."""
    from striate import api
    from striate.cli.progress import StageBars

    settings: dict[str, Any] = {
        "optimiser": optimiser,
        "batch_size": batch_size,
        "seed": seed,
        "threads": threads,
    }
    with StageBars(quiet=as_json) as bars:
        found = api.find_lr(
            data,
            model=model,
            weights=weights,
            activation=activation,
            image_size=image_size,
            skip_bad=skip_bad,
            steps=steps,
            out=out,
            listeners=[bars],
            **{name: value for name, value in settings.items() if value is not None},
        )
    if as_json:
        emit(found.to_json())
        return
    test = found.test
    say(f"suggestion: {test.suggestion:.2g} for {found.model} (the recipe's own: {found.usual:.2g})")
    say(f"the loss falls fastest there, is lowest at {test.lowest:.2g}, and rises beyond")
    say(f"picture:    {out}")
    words = [data] if data is not None else []
    words += ["--model", found.model] if weights is None else ["--model", found.model, "--weights", weights]
    words += ["--activation", activation] if activation is not None else []
    next_steps((command("train", *words, "--lr", f"{test.suggestion:.2g}"), "train with it"))
