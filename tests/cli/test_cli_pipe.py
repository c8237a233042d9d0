"""Nobody reads what we write: no traceback, and the exit code is that of the answer."""

import os
import subprocess
import sys

import pytest


def unread(*arguments: str) -> tuple[int, bytes]:
    """Exit code and stderr of a command whose reader has left before it began."""
    here, there = os.pipe()
    os.close(here)
    words = [sys.executable, "-m", "striate", *arguments]
    done = subprocess.run(words, stdout=there, stderr=subprocess.PIPE, check=False)
    os.close(there)
    return done.returncode, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["models"], 0),  # a table of rich
        (["models", "--json"], 0),  # one long line
        (["--help"], 0),
        (["models", "lenet6", "--json"], 2),  # an error on stdout
    ],
)
def test_a_reader_who_has_left(arguments: list[str], code: int) -> None:
    assert unread(*arguments) == (code, b"")


def test_the_first_line_of_a_long_answer() -> None:
    line = f"set -o pipefail; {sys.executable} -m striate models | head -1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=False)
    assert done.returncode == 0 and done.stderr == b"" and done.stdout.count(b"\n") == 1
