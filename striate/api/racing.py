"""``race``: a network on everything installed that can run it, in turns.

Each number of threads has a process of its own (``striate.api.contest``), because libraries settle theirs
when they are loaded. A contestant that brings the process down is left out, and the race is run again without
it.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from striate.api.stages import Listener, Noted, Stage, tell
from striate.errors import ArgumentError, StriateError, nearest

COMPLAINTS = "stderr.txt"
ROUNDS, SECONDS = 15, 20.0  # of one heat; at least three rounds are run, however long they take


@dataclass(frozen=True)
class Footprint:
    """A contestant alone in a process of its own, one image.

    ``load_seconds``: from the start of the process to the first answer, the second time it is started.
    ``installed_bytes``: the package and all that it needs. ``peak_bytes``: of memory, ``own_bytes``: above
    what the process held once the package was imported.
    """

    name: str
    installed_bytes: int
    load_seconds: float
    peak_bytes: int
    own_bytes: int


@dataclass(frozen=True)
class Race:
    """``multiply_adds``: the definition's, for one image. ``peak``: multiply-adds a second of one core."""

    model: str
    input: tuple[int, ...]
    multiply_adds: int
    peak: float
    machine: dict[str, Any]
    versions: dict[str, str]
    heats: tuple[dict[str, Any], ...]
    footprints: tuple[Footprint, ...]
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def agree(self) -> bool:
        """Whether every contestant's answer was the definition's."""
        return not any(heat["disagree"] for heat in self.heats)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"agree": self.agree}


def race(
    model: str | Path,
    input: str | Sequence[int] | None = None,
    *,
    batch: Sequence[int] = (1, 16),
    threads: Sequence[int] | None = None,
    engines: Sequence[str] | None = None,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    footprints: bool = True,
    tune: bool = False,
    listeners: Sequence[Listener] = (),
) -> Race:
    """Time MODEL (a name, a run, a bundle, an .onnx file, ``FILE.py:CLASS``) on all that is installed.

    ``threads``: None: one, and all that this process may use. ``engines``: of striate, torch, torch.compile,
    onnxruntime, openvino; None: those that are installed. ``rounds``, ``seconds``: of one heat, whichever
    ends first, three rounds at least. ``tune``: see ``load``; it is done before a heat begins.
    A network of the catalogue has random weights.

    Raises ArgumentError for numbers below 1, more threads than processors, and an engine that is not known or
    cannot take part.
    """
    from striate.api.race_entry import prepare
    from striate.machine import processors
    from striate.race import CONTESTANTS

    counts = sorted({1, processors()}) if threads is None else list(threads)
    for name, numbers in (("batch", batch), ("threads", counts), ("rounds", [rounds])):
        if not numbers or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in numbers):
            raise ArgumentError(
                f"{name} must be integers of at least 1, got {list(numbers)}: give 1 or more."
            )
    if max(counts) > processors():  # we would take no more, and rivals would only wait for each other
        raise ArgumentError(
            f"threads must be at most the {processors()} processors that this process may use, got "
            f"{max(counts)}: give fewer."
        )
    for engine in engines or ():
        if engine not in CONTESTANTS:
            hint = nearest(engine, CONTESTANTS) or f"choose from {', '.join(CONTESTANTS)}."
            raise ArgumentError(f"engines must be known ones, got {engine!r}: {hint}")
    with TemporaryDirectory(prefix="striate-race-") as name:
        folder = Path(name)
        entered = prepare(str(model), input, sorted(set(batch)), folder, listeners)
        absent = {
            who: why
            for who in engines or CONTESTANTS
            if (why := CONTESTANTS[who].missing(module=entered.module)) is not None
        }
        if engines and absent:
            who, why = next(iter(absent.items()))
            raise ArgumentError(f"engines must be able to take part, {who} is not ({why}): leave it out.")
        event = _Event(folder, list(listeners), absent)
        heats: list[dict[str, Any]] = []
        for count in counts:
            running = [who for who in engines or CONTESTANTS if who not in absent]
            request = asdict(entered) | {"threads": count, "rounds": rounds, "seconds": seconds, "tune": tune}
            heats += event.contest(request, running)
        running = [who for who in engines or CONTESTANTS if who not in event.absent] if footprints else []
        alone = [
            _alone(event, asdict(entered) | {"threads": counts[0], "tune": tune}, who) for who in running
        ]
    found = tuple(one for one in alone if one is not None)
    told = event.peak, event.machine, event.versions
    return Race(str(model), entered.sizes, entered.multiply_adds, *told, tuple(heats), found, event.absent)


class _Event:
    """The processes of one race: what they are told, what they say, who has dropped out."""

    def __init__(self, folder: Path, listeners: list[Listener], absent: dict[str, str]) -> None:
        self.folder, self.listeners, self.absent = folder, listeners, absent
        self.peak, self.machine, self.versions = 0.0, dict[str, Any](), dict[str, str]()
        self.ended = 0  # how the last process did

    def contest(self, request: dict[str, Any], engines: list[str]) -> list[dict[str, Any]]:
        """All heats on one number of threads, without those that bring the process down."""
        while engines:
            answer, last = self.run(request | {"engines": engines})
            if answer is not None:
                self.peak, self.machine, self.versions = (
                    answer[key] for key in ("peak", "machine", "versions")
                )
                heats: list[dict[str, Any]] = answer["heats"]
                return heats
            if last is None:
                raise StriateError(f"The process of the race ended while no engine ran: {self.complaint()}.")
            self.drop(last, f"the process ended while it ran: {self.complaint()}")
            engines = [who for who in engines if who not in self.absent]
        return []

    def drop(self, who: str, why: str) -> None:
        self.absent[who] = why
        tell(self.listeners, Noted(f"{who} is left out: {why}"))

    def complaint(self) -> str:
        """The signal that ended the process, or the last line that it left: the error, if Python ended it."""
        if self.ended < 0:
            with suppress(ValueError):  # a signal that Python has no name for
                return f"killed by {signal.Signals(-self.ended).name}"
        lines = (self.folder / COMPLAINTS).read_text(errors="replace").split("\n")
        return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "no message")

    def run(self, request: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
        """What the process answered, or None; and who was at work when it ended."""
        asked, answered = self.folder / "request.json", self.folder / "answer.json"
        answered.unlink(missing_ok=True)
        asked.write_text(json.dumps(request | {"folder": str(self.folder), "began": time.time()}))
        words = [sys.executable, "-m", "striate.api.contest", str(asked)]
        last = None
        with (self.folder / COMPLAINTS).open("w") as complaints:  # a pipe that nobody empties would stop it
            process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=complaints, text=True)
        try:
            for line in process.stdout or ():
                said = json.loads(line)
                last = said.get("at_work", last)
                if "what" in said:
                    tell(self.listeners, Stage(said["what"], said["done"], said["total"]))
            process.communicate()
            self.ended = process.returncode
        except BaseException:
            process.kill()
            process.communicate()
            raise
        if not answered.exists():
            return None, last
        answer: dict[str, Any] = json.loads(answered.read_text())
        return answer, last


def _alone(event: _Event, request: dict[str, Any], who: str) -> Footprint | None:
    """Started twice: the first time fills caches, those of the system and its own; the second counts."""
    tell(event.listeners, Stage(f"{who} alone", 0, 2))
    answer = None
    for turn in (1, 2):
        answer, _ = event.run(request | {"alone": who})
        tell(event.listeners, Stage(f"{who} alone", turn, 2))
        if answer is None:
            break
    return Footprint(**answer) if answer is not None else None
