"""``striate models | head``: the reader has gone, and that is its right.

From then on nothing is written, and all else goes on as before: a training is not lost because nobody
watches, and the exit code still says what the answer was. Left to themselves, typer and rich would end with
code 1.
"""

from __future__ import annotations

import os
import sys
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import Any


class Forgiving(FileIO):
    """A file that swallows what is written once nobody can read it."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return len(data)


def forgive_readers_who_leave() -> None:
    """Put such files below stdout and stderr, where these are files."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, TextIOWrapper) or not isinstance(stream.buffer, (BufferedWriter, FileIO)):
            continue  # a test's, or a notebook's
        stream.flush()
        file = Forgiving(stream.fileno(), "w", closefd=False)
        below = file if isinstance(stream.buffer, FileIO) else BufferedWriter(file)  # PYTHONUNBUFFERED
        line, through = stream.line_buffering, stream.write_through
        setattr(sys, name, TextIOWrapper(below, stream.encoding, stream.errors, None, line, through))
