"""A source that is an array, read by a thread of its own while the process imports what it will train with.

To unpack and to hash files takes a good part of the time of those imports, and needs nothing that they hold:
both go on side by side. Only what lies on this machine is read so. Whatever goes wrong is left to
``read_source``, which meets it again and says it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from threading import Thread

from striate.data.arrays import ArraySet
from striate.data.named import DEFAULT_SOURCE
from striate.data.source import arrays_here


class Ahead:
    """The arrays of ``source`` on their way; None is the embedded set. Not ``wanted``: nothing is read."""

    def __init__(self, source: str | Path | None, *, wanted: bool = True) -> None:
        self._name = str(source) if source is not None else DEFAULT_SOURCE
        self._found: ArraySet | None = None
        self._thread = Thread(target=self._read, daemon=True)
        if wanted:
            self._thread.start()

    def take(self) -> ArraySet | None:
        """What was found, once it is there; None: nothing of the kind."""
        if self._thread.ident is not None:
            self._thread.join()
        return self._found

    def _read(self) -> None:
        with suppress(Exception):
            self._found = arrays_here(self._name)
