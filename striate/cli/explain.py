"""``striate explain``: a network with every number derived; an activation; one window; why convolution."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from striate.cli.answer import JsonOption, emit, next_steps, say
from striate.errors import ArgumentError, command

NETWORK, ATLAS, WINDOW, WHY = "A network", "Activations", "One window, step by step", "Why convolution"
Pair = "3|3x5"


def register(app: typer.Typer) -> None:
    app.command()(explain)


def explain(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="A name, a run, a bundle, FILE.onnx, FILE.py:CLASS(args)."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--input", metavar="3x224x224", help="Channels x rows x columns.", rich_help_panel=NETWORK
        ),
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="Unfold every number of this layer.", rich_help_panel=NETWORK)
    ] = None,
    against: Annotated[
        bool,
        typer.Option(
            "--against",
            help="What torchinfo, fvcore, thop, ptflops print, and why.",
            rich_help_panel=NETWORK,
        ),
    ] = False,
    activation: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|all|textbook",
            help="Range, slope, where the gradient dies: gelu, 'elu(alpha=2)', several with commas.",
            rich_help_panel=ATLAS,
        ),
    ] = None,
    conv: Annotated[
        str | None,
        typer.Option(metavar="5x5", help="A window on a picture of this size.", rich_help_panel=WINDOW),
    ] = None,
    pool: Annotated[
        str | None,
        typer.Option(metavar="max|min|avg", help="A pool, no convolution.", rich_help_panel=WINDOW),
    ] = None,
    kernel: Annotated[
        str | None,
        typer.Option(metavar=Pair, help="Also for --why.", show_default="3", rich_help_panel=WINDOW),
    ] = None,
    stride: Annotated[str | None, typer.Option(metavar=Pair, rich_help_panel=WINDOW)] = None,
    padding: Annotated[
        str | None, typer.Option(metavar="1|1x2|same", show_default="0", rich_help_panel=WINDOW)
    ] = None,
    dilation: Annotated[
        str | None, typer.Option(metavar=Pair, show_default="1", rich_help_panel=WINDOW)
    ] = None,
    padding_mode: Annotated[
        str | None,
        typer.Option(metavar="MODE", help="zeros, reflect, replicate, circular.", rich_help_panel=WINDOW),
    ] = None,
    channels: Annotated[
        int | None, typer.Option(help="Of the picture.", show_default="1", rich_help_panel=WINDOW)
    ] = None,
    filters: Annotated[
        int | None, typer.Option(help="Kernels, maps out.", show_default="1", rich_help_panel=WINDOW)
    ] = None,
    groups: Annotated[int | None, typer.Option(show_default="1", rich_help_panel=WINDOW)] = None,
    bias: Annotated[
        bool | None, typer.Option("--bias/--no-bias", show_default="bias", rich_help_panel=WINDOW)
    ] = None,
    ceil_mode: Annotated[
        bool | None, typer.Option("--ceil-mode", help="Of a pool: round up.", rich_help_panel=WINDOW)
    ] = None,
    count_include_pad: Annotated[
        bool | None,
        typer.Option(
            "--count-include-pad/--no-count-include-pad",
            help="Of an average: padding counts.",
            rich_help_panel=WINDOW,
        ),
    ] = None,
    why: Annotated[
        bool,
        typer.Option(
            "--why", help="Dense, local, convolution: weights, and shifted images.", rich_help_panel=WHY
        ),
    ] = False,
    units: Annotated[int, typer.Option(help="Units, or kernels.", rich_help_panel=WHY)] = 1000,
    epochs: Annotated[
        int, typer.Option(help="Training on the embedded images; 0 only counts.", rich_help_panel=WHY)
    ] = 6,
    seed: Annotated[int, typer.Option(help="Of pictures and trainings.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="--activation: .svg, .png, .html; --conv: .html, .gif."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Derive every number of a network; or show an activation, one window, or why convolution."""
    asked = {"MODEL": model, "--activation": activation, "--conv": conv, "--why": why or None}
    given = [name for name, value in asked.items() if value is not None]
    if len(given) != 1:
        got = " and ".join(given) or "none"
        raise ArgumentError(f"explain must be given one of {', '.join(asked)}, got {got}: choose one.")
    window: dict[str, object] = {
        "kernel_size": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "padding_mode": padding_mode,
        "in_channels": channels,
        "out_channels": filters,
        "groups": groups,
        "bias": bias,
        "ceil_mode": ceil_mode,
        "count_include_pad": count_include_pad,
    }
    other = {"--layer": layer, "--against": against or None, "--input": size, "--pool": pool, "--out": out}
    _refuse_strangers(given[0], other | {f"--{_option(name)}": value for name, value in window.items()})
    if activation is not None:
        _activation(activation, out, as_json)
    elif conv is not None:
        _window(conv, pool, window, seed, out, as_json)
    elif why:
        _why(size, units, kernel, epochs, seed, as_json)
    else:
        _network(str(model), size, layer, against, as_json)


def _option(argument: str) -> str:
    """What an argument of a layer is called here: "kernel" for kernel_size."""
    short = {"kernel_size": "kernel", "in_channels": "channels", "out_channels": "filters"}
    return short.get(argument, argument).replace("_", "-")


def _refuse_strangers(what: str, given: dict[str, object]) -> None:
    """An option that does not belong to what is asked for is an error, not ignored."""
    fitting = {
        "MODEL": {"--layer", "--against", "--input"},
        "--activation": {"--out"},
        "--conv": set(given) - {"--layer", "--against", "--input"},
        "--why": {"--input", "--kernel"},
    }[what]
    for option, value in given.items():
        if value is not None and option not in fitting:
            raise ArgumentError(f"{option} must be left out with {what}, got {value}: it does not apply.")


def _network(model: str, size: str | None, layer: str | None, against: bool, as_json: bool) -> None:
    from striate import api

    if against:
        counts = api.against(model, size)
        if as_json:
            emit(counts.to_json())
            return
        say(counts.table())
        next_steps((command("explain", model), "where our number comes from"))
        return
    explanation = api.explain(model, size)
    if as_json:
        emit(explanation.to_json() if layer is None else explanation.layer_json(layer))
        return
    if layer is not None:
        say(explanation.layer(layer))
        next_steps((command("explain", model), "the whole network"))
        return
    say(explanation.table())
    widest = explanation.most_expensive
    next_steps(
        (command("explain", model, "--layer", widest), "formula, substitution and result of each number"),
        (command("explain", model, "--against"), "what other counters print, and why"),
    )


def _activation(names: str, out: Path | None, as_json: bool) -> None:
    from striate import api

    atlas = api.atlas(names)
    written = api.draw(atlas, out) if out is not None else None
    if as_json:
        emit(atlas.to_json())
        return
    say(atlas.text())
    if written is not None:
        say(f"\nwritten: {written}")
        return
    next_steps(
        (f"striate explain --activation '{names}' --out figure.svg", "functions and derivatives drawn")
    )


def _window(
    picture: str, pool: str | None, arguments: dict[str, object], seed: int, out: Path | None, as_json: bool
) -> None:
    from striate import api
    from striate.explanation.walk_text import walk_text

    walk = api.walk(picture, pool, seed=seed, **arguments)
    written = api.draw(walk, out) if out is not None else None
    if as_json:
        emit(walk.to_json())
        return
    say(walk_text(walk))
    if written is not None:
        say(f"\nwritten: {written}")
        return
    next_steps(("add --out walk.html", "the same as a page: keys and a slider; or --out walk.gif"))


def _why(size: str | None, units: int, kernel: str | None, epochs: int, seed: int, as_json: bool) -> None:
    from striate import api
    from striate.cli.progress import StageBars

    if kernel is not None and not kernel.isdigit():
        raise ArgumentError(f"--kernel must be one number for --why, got {kernel!r}: write 3.")
    with StageBars(quiet=as_json) as bars:
        case = api.why(size, units=units, kernel=int(kernel or 3), epochs=epochs, seed=seed, listeners=[bars])
    if as_json:
        emit(case.to_json())
        return
    say(case.text())
    next_steps(("striate explain --conv 5x5 --kernel 3 --stride 2 --padding 1", "one convolution, by hand"))
