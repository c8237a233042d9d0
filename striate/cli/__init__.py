"""DOOR: the command line. One file a verb: it parses, calls ``striate.api`` and prints; it computes nothing.

``main`` is the one place where an error becomes a sentence and an exit code:
0 done, 1 the answer is no, 2 the request was wrong, 130 stopped by Ctrl-C or a polite kill.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import typer

from striate.cli import cache, check, evaluate, explain, find_lr, models, predict, race, report, train
from striate.cli.answer import fail, note_warnings, say_stopped
from striate.cli.pipe import forgive_readers_who_leave
from striate.errors import INTERRUPTED, VERDICT, ArgumentError, LeftAloneError, StriateError

app = typer.Typer(
    name="striate",
    help="One convolutional network through its whole life: defined, derived, checked, trained, run.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_LEFT_ALONE = -1  # not an exit code: what a process answers that lost the others
UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # typer gives its base no public name
for verb in (train, find_lr, predict, evaluate, report, explain, check, race, models, cache):
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
    """Run the command line, and leave with its exit code.

    A launcher of several processes starts all again when one fails. An answer is no failure: it is left in a
    file, the verdict, and processes that find one there when they are started again go at once. To be
    stopped is no answer: the launcher stops the rest when one was killed, and knows when it was stopped.
    """
    verdict = Path(os.environ[VERDICT]) if VERDICT in os.environ else None
    if verdict is not None and verdict.exists():
        sys.exit(0)
    code = _run()
    gc.freeze()  # Python's last search for cycles, over all of torch, would find nothing and take a second
    if verdict is not None and code not in (0, INTERRUPTED, _LEFT_ALONE):
        verdict.write_text(str(code))
    sys.exit(1 if code == _LEFT_ALONE else code)


def _run() -> int:
    """The exit code of the command line; every error that a user can cause is one sentence on stderr."""
    forgive_readers_who_leave()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # what the terminal's encoding lacks is spelled out
            stream.reconfigure(errors="backslashreplace")
    note_warnings()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill is a Ctrl-C
    try:
        code = app(sys.argv[1:] or ["--help"], prog_name="striate", standalone_mode=False)
        if code == INTERRUPTED:  # what newer versions of typer make of a KeyboardInterrupt
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 0
    except LeftAloneError as error:
        fail(error)
        return _LEFT_ALONE
    except StriateError as error:
        return fail(error)
    except UsageError as error:
        return fail(_request(error))
    except (KeyboardInterrupt, typer.Abort):
        say_stopped()
        return INTERRUPTED
    except MemoryError:
        return fail(
            StriateError("The machine's memory must hold the batch, it does not: lower --batch-size.")
        )
    except OSError as error:
        reason = f"{error.filename or 'A file'} cannot be read or written ({error.strerror or error})"
        return fail(StriateError(f"{reason}: check its permissions and the room on the disk."))


def _request(error: Any) -> ArgumentError:
    """What is wrong with the words of a command, as a sentence; the verb's own help is the remedy."""
    words = error.ctx.command_path if error.ctx is not None else "striate"
    return ArgumentError(f"{error.format_message().rstrip('.')}: see {words} --help.")
