"""Processes that compile beside us: each reads a target and LLVM IR as text, and answers with object code."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict
from pathlib import Path
from threading import Thread
from typing import IO, cast

from striate.engine.machine_code import object_code
from striate.engine.target import Target
from striate.machine import processors

MOST = 7  # a network has some 40 kernels to make, and their text is written by one process
HOME = str(Path(__file__).parents[2])  # where this very striate lies
GREETING = bytes(8)  # anything else, printed by what runs when Python starts: nothing to work with
COMMAND = f"import sys; sys.path.insert(0, {HOME!r}); from striate.engine.team import help_out; help_out()"


class Helper:
    """A process at work on what it is asked. Once it has failed, it answers None."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", COMMAND], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
        )
        self._given = cast("IO[bytes]", self._process.stdin)
        self._answer = cast("IO[bytes]", self._process.stdout)
        self.up = False  # it has started
        self._greeting = Thread(target=self._greet, daemon=True)
        self._greeting.start()

    def _greet(self) -> None:
        with suppress(OSError, ValueError):
            self.up = self._answer.read(len(GREETING)) == GREETING

    def starting(self, seconds: float) -> bool:
        """Whether nothing was heard of it yet; waits so long at most."""
        self._greeting.join(seconds)
        return self._greeting.is_alive()

    def object_code(self, text: str, target: Target) -> bytes | None:
        with suppress(OSError, ValueError):
            _put(self._given, json.dumps(asdict(target)).encode())
            _put(self._given, text.encode())
            return _get(self._answer)
        return None

    def end(self) -> None:
        self._process.kill()
        self._greeting.join()
        for file in (self._given, self._answer):
            with suppress(OSError):
                file.close()
        self._process.wait()


def help_out() -> None:
    """What a helper does: it says that it is there, then compiles a module after the other."""
    given, answer = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever else prints, answers stay whole
    answer.write(GREETING)
    answer.flush()
    while (about := _get(given)) and (text := _get(given)):
        _put(answer, object_code(text.decode(), Target(**json.loads(about))))


class Team:
    """Helpers that start when there is first much to do, and serve to the end of a stretch of work."""

    def __init__(self, ends: ExitStack) -> None:
        self._ends, self._called, self.members = ends, False, list[Helper]()

    def call(self) -> list[Helper]:
        """All of them, as many as there are processors beside ours; none where Python cannot be started."""
        # Python inside another program must not be started twice
        if not self._called and "python" in Path(sys.executable or "").name.lower():
            for _ in range(min(MOST, processors() - 1)):
                with suppress(OSError):
                    self.members.append(Helper())
                    self._ends.callback(self.members[-1].end)
        self._called = True
        return self.members


_TEAM: ContextVar[Team | None] = ContextVar("team", default=None)


@contextmanager
def team() -> Iterator[Team]:
    """Whoever is called within the block, by us or further in, serves until its end."""
    around = _TEAM.get()
    if around is not None:
        yield around
        return
    with ExitStack() as ends:
        ours = Team(ends)
        ends.callback(_TEAM.reset, _TEAM.set(ours))
        yield ours


def _put(file: IO[bytes], content: bytes) -> None:
    file.write(struct.pack("<q", len(content)) + content)
    file.flush()


def _get(file: IO[bytes]) -> bytes | None:
    """The next content; None at the end, or where it is cut short."""
    head = file.read(8)
    if len(head) < 8:
        return None
    (length,) = struct.unpack("<q", head)
    content = file.read(length)
    return content if len(content) == length else None
