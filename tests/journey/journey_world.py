"""The command line as a person uses it: a process of its own, and its answer."""

import contextlib
import io
import json
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from unittest import mock

from striate.__main__ import main


def striate(*arguments: object, cwd: Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    words = [sys.executable, "-m", "striate", *(str(argument) for argument in arguments)]
    return subprocess.run(words, cwd=cwd, input=stdin, capture_output=True, check=False)


def within(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """The same command in this process, which has torch already: seconds less for each."""
    words = ["striate", *(str(argument) for argument in arguments)]
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with (
        contextlib.chdir(cwd),
        warnings.catch_warnings(),
        mock.patch.multiple(sys, argv=words, stdout=out, stderr=err),
    ):
        try:
            main()
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else int(left.code is not None)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            out.flush(), err.flush()
    return subprocess.CompletedProcess(words, code, out.buffer.getvalue(), err.buffer.getvalue())


def answer(done: subprocess.CompletedProcess[bytes]) -> object:
    """The JSON on stdout of a command that succeeded."""
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)
