"""``striate explain MODEL``: every layer's sizes and costs, and how each number comes about."""

from __future__ import annotations

from typing import Annotated

import typer

from striate.cli.answer import JsonOption, emit, next_steps, say


def register(app: typer.Typer) -> None:
    app.command()(explain)


def explain(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A name, a run, a bundle, FILE.py:CLASS(args).")
    ],
    size: Annotated[
        str | None, typer.Option("--input", metavar="3x224x224", help="Channels x rows x columns.")
    ] = None,
    layer: Annotated[str | None, typer.Option(help="Unfold every number of this layer.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Derive every number of a network: sizes, parameters, multiply-adds, receptive fields."""
    from striate import api

    explanation = api.explain(model, size)
    if as_json:
        emit(explanation.to_json() if layer is None else explanation.layer_json(layer))
        return
    if layer is not None:
        say(explanation.layer(layer))
        next_steps((f"striate explain {model}", "the whole network"))
        return
    say(explanation.table())
    widest = explanation.most_expensive
    next_steps(
        (f"striate explain {model} --layer {widest}", "formula, substitution and result of each number")
    )
