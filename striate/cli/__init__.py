"""DOOR: the command line. One file a verb: it parses, calls ``striate.api`` and prints; it computes nothing.

``main`` is the one place where an error becomes a sentence and an exit code:
0 done, 1 the answer is no, 2 the request was wrong.
"""

from __future__ import annotations

import sys

import typer

from striate.cli import check, evaluate, explain, models, predict, report, train
from striate.cli.answer import fail, note_warnings
from striate.errors import StriateError

app = typer.Typer(
    name="striate",
    help="One convolutional network through its whole life: defined, derived, checked, trained, run.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (train, predict, evaluate, report, explain, check, models):
    verb.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        from striate import __version__

        typer.echo(f"striate {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """One convolutional network through its whole life: defined, derived, checked, trained, run."""


def main() -> None:
    """Run the command line; every error that striate raises on purpose is one sentence on stderr."""
    note_warnings()
    try:
        app(prog_name="striate")
    except StriateError as error:
        sys.exit(fail(error))
    except MemoryError:
        sys.exit(
            fail(StriateError("The machine's memory must hold the batch, it does not: lower --batch-size."))
        )
    except BrokenPipeError:  # `striate models | head`: the reader has gone, and that is its right
        sys.stderr.close()
        sys.exit(0)
