"""``striate race MODEL``: how fast is it here, and how fast are others? All that is installed, in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from striate.cli.answer import JsonOption, Side, emit, next_steps, say, screen, table
from striate.errors import ArgumentError, command

if TYPE_CHECKING:
    from striate.api.racing import Race

COLUMNS: list[tuple[str, Side]] = [
    ("engine", "left"),
    ("ms/image", "right"),
    ("quartiles", "right"),
    ("GFLOP/s", "right"),
    ("of peak", "right"),
    ("error", "right"),
]
ALONE: list[tuple[str, Side]] = [
    ("alone, one image", "left"),
    ("version", "right"),
    ("to the first answer", "right"),
    ("installed", "right"),
    ("peak memory", "right"),
    ("of it its own", "right"),
]


def register(app: typer.Typer) -> None:
    app.command()(race)


def race(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A name, a run, a bundle, an .onnx file, FILE.py:CLASS.")
    ],
    input: Annotated[str | None, typer.Option(help="Channels x rows x columns: 3x224x224.")] = None,
    batch: Annotated[str, typer.Option(help="Batch sizes.")] = "1,16",
    threads: Annotated[str | None, typer.Option(help="Threads (default: 1 and all cores).")] = None,
    engines: Annotated[
        str | None,
        typer.Option(
            help="Of striate, torch, torch.compile, onnxruntime, openvino (default: what is there)."
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each engine.")] = 15,
    seconds: Annotated[
        float,
        typer.Option(min=0, help="Time for one batch size on one number of threads; 3 rounds at least."),
    ] = 20.0,
    tune: Annotated[
        bool, typer.Option("--tune", help="Measure our kernels on this machine first: the fastest race.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Time a network on every engine that is installed, in turns, and check that all agree."""
    from striate import api
    from striate.cli.progress import StageBars

    with StageBars(quiet=as_json) as bars:
        found = api.race(
            model,
            input,
            batch=_numbers("--batch", batch),
            threads=_numbers("--threads", threads) if threads is not None else None,
            engines=[name.strip() for name in engines.split(",")] if engines is not None else None,
            rounds=rounds,
            seconds=seconds,
            tune=tune,
            listeners=[bars],
        )
    if as_json:
        emit(found.to_json())
    else:
        _show(found)
    if not found.agree:
        raise typer.Exit(1)


def _numbers(option: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ArgumentError(f"{option} must be integers with commas, got {text!r}: write 1,16.") from None


def _show(found: Race) -> None:
    size = "x".join(map(str, found.input))
    say(f"{found.model} at {size}: {found.multiply_adds / 1e6:,.1f} million multiply-adds an image")
    say(f"{found.machine['processor']}; one core at its peak: {2 * found.peak / 1e9:.0f} GFLOP/s")
    for heat in found.heats:
        _heat(heat)
    rows = [
        (
            one.name,
            found.versions[one.name],
            f"{one.load_seconds:.2f} s",
            f"{one.installed_bytes / 1e6:,.0f} MB",
            f"{one.peak_bytes / 1e6:,.0f} MB",
            f"{one.own_bytes / 1e6:,.0f} MB",
        )
        for one in found.footprints
    ]
    if rows:
        say()
        screen().print(table("", ALONE, rows))
    for name, why in found.left_out.items():
        say(f"{name} did not run: {why}")
    if any(one["share"] > 1 for heat in found.heats for one in heat["standings"]):
        say("GFLOP/s are those of the definition; above the peak, the algorithm needs fewer.")
    next_steps((command("race", found.model, "--json"), "the same, for programs"))


def _heat(heat: dict[str, Any]) -> None:
    say()
    many = f"{heat['threads']} thread{'s' * (heat['threads'] > 1)}"
    rows = [
        (
            one["name"] + (" (disagrees)" if one["name"] in heat["disagree"] else ""),
            _digits(one["milliseconds"]),
            f"{_digits(one['quartiles'][0])} to {_digits(one['quartiles'][1])}",
            f"{one['gflops']:.0f}" if one["gflops"] >= 10 else f"{one['gflops']:.1f}",
            f"{one['share']:.0%}",
            f"{one['error']:.0e}",
        )
        for one in heat["standings"]
    ]
    screen().print(table(f"batch {heat['batch']}, {many}, {heat['rounds']} rounds", COLUMNS, rows))
    if heat["ratio"] is not None:
        low, high = heat["quartiles"]
        say(f"{heat['best']} takes {heat['ratio']:.2f} times as long as striate ({low:.2f} to {high:.2f})")
    for name in heat["disagree"]:
        say(f"{name} answers something else than the definition")
    for name, why in (heat["absent"] or {}).items():
        say(f"{name} did not run: {why}")


def _digits(milliseconds: float) -> str:
    """Three digits, whatever the size."""
    return f"{milliseconds:.3g}" if milliseconds < 100 else f"{milliseconds:.0f}"
