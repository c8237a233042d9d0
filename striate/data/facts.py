"""What a look at files told, kept until a file changes, so that nothing is read or decoded twice for a check.

A fact is known by the file's key, and believed as long as the file's size and both its times (of content and
of change) are what they were. A file that was written within two seconds of the look is not remembered: it
could change again without a trace. One JSON file for each source.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import PIL

from striate.data.cache import cache_folder, place_of
from striate.runs import write_atomically

FORMAT = f"1, Pillow {PIL.__version__}"  # another Pillow may read what this one cannot
_TOO_NEW = 2.0  # seconds; the coarsest clock of a file system in use (FAT's)

Stamp = tuple[int, int, int]
"""Bytes, and the times of content and of change in nanoseconds."""


class FactStore:
    """The facts of one source: stamps and JSON values by key. What cannot be read or written is empty."""

    def __init__(self, source: Path | str) -> None:
        self._source = str(source)
        name = place_of(str(source))
        self._path = cache_folder() / "facts" / f"{name}.json"
        self._known: dict[str, list[Any]] = {}
        self._changed = False
        with suppress(OSError, ValueError, AttributeError):
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            if stored.get("format") == FORMAT and isinstance(stored.get("facts"), dict):
                self._known = stored["facts"]

    def get(self, key: str, stamp: Stamp | None) -> Any:
        """The value that was put under ``key`` when the file had this stamp; None: there is none."""
        entry = self._known.get(key)
        if stamp is None or not isinstance(entry, list) or len(entry) != 2 or entry[0] != list(stamp):
            return None
        return entry[1]

    def put(self, key: str, stamp: Stamp | None, value: Any) -> None:
        """Remember ``value``, unless the file is too new to be known by its stamp."""
        if stamp is not None and time.time() - max(stamp[1:]) / 1e9 > _TOO_NEW:
            self._known[key] = [list(stamp), value]
            self._changed = True

    def save(self) -> None:
        """Write what was put; silently nothing where the cache cannot be written."""
        if self._changed:
            record = {"format": FORMAT, "source": self._source, "facts": self._known}
            with suppress(OSError):
                write_atomically(self._path, json.dumps(record))
            self._changed = False


def stamp_of(path: Path) -> Stamp | None:
    """What a file looks like from outside; None where it cannot be seen."""
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns
