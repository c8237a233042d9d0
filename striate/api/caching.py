"""``cache``: what is kept so that it need not be decoded, looked at or downloaded again."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from striate.data.cache import Entry


@dataclass(frozen=True)
class Kept:
    """One thing in the cache. ``used`` is the time of its last use, ISO 8601 in UTC."""

    what: str
    source: str
    bytes: int
    used: str
    path: str


@dataclass(frozen=True)
class CacheReport:
    """The cache as it is, or as it was before it was cleared. Sizes are in bytes."""

    folder: str
    bytes: int
    limit: int
    cleared: bool
    entries: tuple[Kept, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def cache(*, clear: bool = False) -> CacheReport:
    """What is kept, the least recently used first; with ``clear`` all of it is deleted.

    Raises ArgumentError when STRIATE_CACHE_LIMIT is no size.
    """
    from striate.data.cache import cache_folder, entries, limit, remove

    found = entries()
    report = CacheReport(
        str(cache_folder()),
        sum(entry.bytes for entry in found),
        limit(),
        clear,
        tuple(_kept(entry) for entry in found),
    )
    if clear:
        for entry in found:
            remove(entry)
    return report


def _kept(entry: Entry) -> Kept:
    from striate.data.cache import KINDS

    used = datetime.fromtimestamp(entry.used, UTC).isoformat(timespec="seconds")
    return Kept(KINDS[entry.kind], _source(entry), entry.bytes, used, str(entry.path))


def _source(entry: Entry) -> str:
    """What the entry was made of, where it says so."""
    card = {"packs": entry.path / "pack.json", "shards": entry.path / "source.json"}.get(
        entry.kind, entry.path
    )
    with suppress(OSError, ValueError, KeyError, TypeError):
        if card.suffix == ".json":
            return str(json.loads(card.read_text(encoding="utf-8"))["source"])
    return entry.path.name
