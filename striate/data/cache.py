"""The folder in which striate keeps what it would otherwise do again: what is there, how much, and its limit.

    packs/<name>/    images decoded once (``pack``)        facts/<name>.json   what a look at files told
    fashion-mnist/   a set that was downloaded             shards/<name>/      shards that were fetched
    kernels/         machine code                          programs/<name>     networks made ready to run

STRIATE_CACHE names another folder, STRIATE_CACHE_LIMIT the bytes that packs, shards and programs may take:
20G, 500M, 0 for none. Without it they may take a quarter of what is free and theirs together.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from striate.errors import ArgumentError

KINDS = {
    "packs": "decoded images",
    "facts": "what files are",
    "shards": "fetched shards",
    "programs": "networks made ready",
    "kernels": "machine code",
    "fashion-mnist": "a downloaded set",
}
LIMITED = ("packs", "shards", "programs")
FOLDERS = ("packs", "facts", "shards", "programs")  # of entries; the others are one entry each
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


@dataclass(frozen=True)
class Entry:
    """One thing in the cache. ``used`` is when it was last needed, in seconds since 1970."""

    kind: str
    path: Path
    bytes: int
    used: float


def cache_folder() -> Path:
    """Where it is: STRIATE_CACHE, else striate/ in the user's cache folder."""
    if own := os.environ.get("STRIATE_CACHE"):
        return Path(own).expanduser()
    if os.name == "nt" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "striate"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "striate"


def place_of(source: str) -> str:
    """A short name for a source, the same from wherever it is named."""
    whole = source if "://" in source else Path(source).absolute()
    return hashlib.sha256(os.fsencode(whole)).hexdigest()[:20]


def entries() -> list[Entry]:
    """Everything of ours in the cache, the least recently used first."""
    found = [entry for kind in KINDS for entry in _of_kind(kind)]
    return sorted(found, key=lambda entry: (entry.used, entry.path))


def limit() -> int:
    """The bytes that packs, shards and programs may take together. ArgumentError for a limit that is none."""
    asked = os.environ.get("STRIATE_CACHE_LIMIT")
    if asked is not None:
        match = _SIZE.fullmatch(asked.strip())
        if match is None:
            raise ArgumentError(
                f"STRIATE_CACHE_LIMIT must be a number of bytes, got {asked!r}: write for example 20G, or 0."
            )
        return int(float(match[1]) * _UNITS[match[2].lower()])
    own = sum(entry.bytes for kind in LIMITED for entry in _of_kind(kind))
    return (_free() + own) // 4


def make_room(needed: int, keep: Path | None = None) -> bool:
    """Whether ``needed`` bytes fit into the limit and onto the disk, once the least recently used have gone.

    ``keep`` and what a process holds are never removed. Nothing is removed in vain.
    """
    most = limit()
    limited = [entry for entry in entries() if entry.kind in LIMITED]
    idle = [entry for entry in limited if entry.path != keep and not _is_held(entry.path)]
    taken, could_go = (sum(entry.bytes for entry in some) for some in (limited, idle))
    if needed + taken - could_go > most or needed > _free() + could_go:
        return False
    for entry in idle:
        if taken + needed <= most and needed <= _free():
            break
        remove(entry)
        taken -= entry.bytes
    return needed <= _free()


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Inside, no other process is inside under the same name; whoever dies lets go of it.

    Where nothing can be locked nobody waits: the work is then done twice, and right both times.
    """
    file = _locked(name, shared=False, wait=True)
    try:
        yield
    finally:
        if file is not None:
            file.close()


def hold(path: Path) -> None:
    """Until this process ends, no process makes room by removing ``path``, which it reads from."""
    if path not in _HELD:
        _HELD[path] = _locked(f"{path.name}.held", shared=True, wait=True)


_HELD: dict[Path, BinaryIO | None] = {}


def _is_held(path: Path) -> bool:
    if path in _HELD:
        return True
    try:
        file = _locked(f"{path.name}.held", shared=False, wait=False)
    except BlockingIOError:
        return True
    if file is not None:
        file.close()
    return False


def _locked(name: str, *, shared: bool, wait: bool) -> BinaryIO | None:
    """A file that is locked until it is closed; None where nothing can be locked.

    Raises BlockingIOError when somebody else has it, unless it is waited for.
    """
    lock = cache_folder() / "locks" / name
    try:
        import fcntl

        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("ab")
    except (ImportError, OSError):  # Windows, or a cache that cannot be written
        return None
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        file.close()
        raise
    except OSError:  # a network disk without locks
        pass
    return file


def remove(entry: Entry) -> None:
    """Delete an entry; what another program holds open (on Windows) stays."""
    if entry.path.is_dir():
        shutil.rmtree(entry.path, ignore_errors=True)
    else:
        entry.path.unlink(missing_ok=True)


def _of_kind(kind: str) -> Iterator[Entry]:
    place = cache_folder() / kind
    try:
        inside = sorted(place.iterdir()) if kind in FOLDERS else [place]
    except OSError:
        return
    for path in inside:
        try:
            files = list(_files(path)) if path.is_dir() else [path.stat()]
        except OSError:  # it is being removed, or was never there
            continue
        if files:
            yield Entry(kind, path, sum(f.st_size for f in files), max(f.st_mtime for f in files))


def _files(folder: Path) -> Iterator[os.stat_result]:
    """Of all files in a folder, at any depth; a fifth of the time of ``rglob``, where there are thousands."""
    with os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            elif entry.is_file():
                yield entry.stat()


def _free() -> int:
    """Bytes free on the disk of the cache."""
    place = cache_folder()
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free
