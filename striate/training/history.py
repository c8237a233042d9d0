"""The history file: a listener that writes one line an epoch."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import inf
from pathlib import Path

from striate.runs import append_line, read_lines, write_atomically, writing
from striate.training.events import EpochEnded, Event, RunStarted


class HistoryFile:
    """Writes ``history.jsonl``: the fields of each ``EpochEnded``.

    When a run starts or is resumed, lines of epochs that are not whole in the checkpoint are removed: they
    will be validated, and written, again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted) and self._path.exists():
            kept = [
                record
                for record in read_lines(self._path)
                if record.get("step", inf) <= event.step and record.get("epoch", inf) <= event.whole_epochs
            ]
            with writing(self._path):
                write_atomically(self._path, "".join(json.dumps(record) + "\n" for record in kept))
        elif isinstance(event, EpochEnded):
            append_line(self._path, asdict(event))
