"""``striate predict RUN_OR_BUNDLE IMAGE...``: what is in these pictures? Needs no PyTorch.

With ``--model NAME`` the network is one of the catalogue, with weights that people have.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from striate.cli.answer import JsonOption, emit, fail, next_steps, say
from striate.errors import ArgumentError, ImageError, command

if TYPE_CHECKING:
    from striate.engine import Prediction


def register(app: typer.Typer) -> None:
    app.command()(predict)


def predict(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="[RUN_OR_BUNDLE] IMAGE...",
            help="A run or bundle folder (none with --model), then files, folders, or - for stdin.",
        ),
    ],
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="A network of striate models instead of a run.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="For --model: a .safetensors or .pth file, a folder with config.json, hf-hub:timm/..., or "
            "pretrained (the default).",
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many classes to name for each image.")] = 3,
    tune: Annotated[
        bool, typer.Option("--tune", help="Measure kernels on this machine first, and remember the fastest.")
    ] = False,
    mirror: Annotated[
        bool | None,
        typer.Option(
            "--mirror/--no-mirror",
            help="Answer with the mean over the image and its mirror image, in twice the time "
            "(default: as the run was measured).",
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="fp32|bf16",
            help="bf16 rounds weights of dense layers and factors of convolutions to 8 bits where "
            "that is faster (default: as the bundle says).",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is in images, with the network of a run or of a bundle, or one that others have trained.

    Images that cannot be read are named, the others are answered; the exit code is then 1.
    """
    from striate import api

    if weights is not None and model is None:
        raise ArgumentError("--weights must come with --model, got no model: name the network, or drop it.")
    run, *images = arguments if model is None else (model, *arguments)
    if images.count("-") > 1:
        raise ArgumentError("- must stand once, standard input has one image: give files for the others.")
    if model is not None:
        weights = weights or "pretrained"
    sources: list[str | bytes] = [sys.stdin.buffer.read() if image == "-" else image for image in images]
    bad: dict[str, ImageError] = {}
    predictions = api.predict(
        run,
        sources,
        weights=weights,
        top=top,
        tune=tune,
        mirror=mirror,
        precision=precision,
        unreadable=bad.__setitem__,
    )
    if as_json:
        unread = [{"key": key, "error": str(error)} for key, error in bad.items()]
        emit([*(asdict(prediction) for prediction in predictions), *unread])
    else:
        _show(predictions)
        for error in bad.values():
            fail(error)
        network = [run] if model is None else ["--model", model, "--weights", weights]
        next_steps((command("predict", *network, images[0], "--json"), "the same, for programs"))
    if bad:
        raise typer.Exit(1)


def _show(predictions: Sequence[Prediction]) -> None:
    width = max((len(prediction.key) for prediction in predictions), default=0)
    for prediction in predictions:
        best = ", ".join(f"{label} {share:.1%}" for label, share in prediction.top)
        if prediction.labels is not None:
            best = f"{', '.join(prediction.labels) or 'none of them'}  ({best})"
        say(f"{prediction.key:<{width}}  {best}")
