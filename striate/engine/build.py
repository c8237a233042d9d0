"""Object code of many kernels: from the cache, or made now, by several processes where there is much to make.

LLVM, as llvmlite wraps it, holds one lock, so threads would wait for each other. A helper is a process that
reads LLVM IR as text and writes object code; if it fails, for whatever reason, its part is made here.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from threading import Thread
from typing import IO, TYPE_CHECKING

from striate.engine import cache
from striate.engine.machine_code import object_code
from striate.engine.target import Target
from striate.machine import processors

if TYPE_CHECKING:
    from striate.engine.kernels.kernel import Kernel

MUCH = 6  # kernels that are worth a helper, which needs a quarter of a second to start
HOME = str(Path(__file__).parents[2])  # where this very striate lies
COMMAND = f"import sys; sys.path.insert(0, {HOME!r}); from striate.engine.build import help_out; help_out()"


def build(kernels: Sequence[Kernel], target: Target) -> dict[str, bytes]:
    """Symbol -> object code; what was not in the cache is put there."""
    names = {kernel.symbol: cache.key(repr(kernel), target) for kernel in kernels}
    codes = {symbol: code for symbol, name in names.items() if (code := cache.read(name)) is not None}
    missing = [kernel for kernel in kernels if kernel.symbol not in codes]
    helper = _Helper(target) if len(missing) >= MUCH and processors() > 1 else None
    if helper is not None and helper.alive:
        for kernel in missing[::2]:
            helper.ask(kernel.symbol, str(kernel.emit(target)))
        missing = missing[1::2]
    made = {kernel.symbol: object_code(kernel.emit(target), target) for kernel in missing}
    if helper is not None:
        made |= helper.answers()
    for symbol, code in made.items():
        cache.write(names[symbol], code)
    return codes | made


class _Helper:
    """A process at work on what it is asked. What it does not answer is made here."""

    def __init__(self, target: Target) -> None:
        self.target, self.asked = target, dict[str, str]()
        self.alive = "python" in Path(sys.executable or "").name.lower()
        if not self.alive:  # Python inside another program, which must not be started twice
            return
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", COMMAND], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
            )
        except OSError:
            self.alive = False
            return
        self._found: list[bytes] = []
        self._reader = Thread(target=self._read, daemon=True)  # else both could wait with full pipes
        self._reader.start()
        self._write(json.dumps(asdict(target)))

    def ask(self, symbol: str, text: str) -> None:
        self.asked[symbol] = text
        self._write(text)

    def answers(self) -> dict[str, bytes]:
        found: list[bytes] = []
        if self.alive:
            self._write("")  # the end: a child forked meanwhile may hold the pipe open
            with suppress(OSError, ValueError):
                self._process.stdin.close()  # type: ignore[union-attr]
            self._reader.join()
            found = self._found
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()  # type: ignore[union-attr]
        answered = dict(zip(self.asked, found, strict=False))
        return {
            symbol: answered[symbol] if symbol in answered else object_code(text, self.target)
            for symbol, text in self.asked.items()
        }

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # it has died: its part is made here
            _put(self._process.stdin, text.encode())  # type: ignore[arg-type]

    def _read(self) -> None:
        while (code := _get(self._process.stdout)) is not None:  # type: ignore[arg-type]
            self._found.append(code)


def help_out() -> None:
    """What the helper does: it reads a target, then a module after the other."""
    given, answer = sys.stdin.buffer, sys.stdout.buffer
    target = Target(**json.loads(_get(given) or b"{}"))
    while text := _get(given):
        _put(answer, object_code(text.decode(), target))


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
