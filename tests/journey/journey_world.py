"""The command line as a person uses it: a process of its own, and its answer."""

import json
import subprocess
import sys
from pathlib import Path


def striate(*arguments: object, cwd: Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    words = [sys.executable, "-m", "striate", *(str(argument) for argument in arguments)]
    return subprocess.run(words, cwd=cwd, input=stdin, capture_output=True, check=False)


def answer(done: subprocess.CompletedProcess[bytes]) -> object:
    """The JSON on stdout of a command that succeeded."""
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)
