"""Shards behind http and https addresses: fetched once into the cache, then read like one's own.

A stream could be resumed only where a shard ends, and would be decoded anew in every epoch. What lies on
the disk has an index: split, order and resume are those of a folder, to the image, and the next run needs no
network. Other programs and Python's pickle have no part in it.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from striate.data.braces import expand
from striate.data.cache import alone, cache_folder, hold, limit, make_room, place_of
from striate.data.listing import Listing, Task
from striate.data.scan import Progress
from striate.data.shards import read_shards
from striate.data.tar import is_closed
from striate.data.transfer import bring, size_of
from striate.errors import DataError
from striate.runs import write_atomically

_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_AT_ONCE = 4  # shards that are fetched side by side
_PLAIN = "/%:@!$&'()*+,;=~-._"  # what may stand in a path as it is, RFC 3986
_NAMES = "classes.txt"
_SHOWN = 3


def is_address(name: str) -> bool:
    return bool(_ADDRESS.match(name))


def read_remote(name: str, task: Task | None, on_progress: Progress | None) -> Listing:
    """The images of the tars that an address, or a pattern of addresses, names; as ``read_shards``.

    ``on_progress`` gets (bytes fetched, bytes in all; 0 where servers do not say).
    Raises DataError: an address that is none of a tar, shards that are not there, cut short or without room.
    """
    shards = [_shard(one) for one in expand(name)]
    targets = [shard.target for shard in shards]
    if len(set(targets)) < len(targets):
        raise DataError(f"{name} names a shard twice: let every address have a path of its own.")
    folders = {shard.target.parent: shard.folder for shard in shards}
    with ExitStack() as locks:
        for folder in sorted(folders):  # in one order, so that two processes never wait for each other
            locks.enter_context(alone(folder.name))
            hold(folder)
        wanted = [shard for shard in shards if not shard.target.exists()]
        if wanted:
            _fetch_all(name, wanted, len(shards), on_progress)
        for folder, address in folders.items():
            with suppress(OSError):  # a cache that is only read
                write_atomically(folder / "source.json", json.dumps({"source": address}))  # used now
    found = read_shards(name, targets, task, [shard.place for shard in shards])
    size = sum(target.stat().st_size for target in targets) / 2**20
    kept = (
        f"The shards are kept in {cache_folder() / 'shards'} ({size:,.0f} MiB) and read there, so that a run "
        "goes on at any batch; striate cache lists and clears them."
    )
    return replace(found, notes=(*found.notes, kept))


@dataclass(frozen=True)
class _Shard:
    address: str
    folder: str
    """The address of what it lies in."""
    target: Path
    """Where it is kept: one folder for each folder of a server, whatever comes after a question mark."""
    place: PurePosixPath
    """Host and path, as the path of a file would be."""


def _shard(text: str) -> _Shard:
    """Raises DataError for an address that is not one of a tar."""
    try:
        parts = urlsplit(text)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise DataError(f"{text} is no address ({error}): correct it.") from None
    if parts.username is not None or parts.password is not None:
        raise DataError(
            "DATA must not hold a password, which would be written into every run: fetch the shards first."
        )
    if not whole or not parts.path.lower().endswith(".tar"):
        raise DataError(
            f"DATA must name .tar shards where it is an address, got {text}: write for example "
            "https://host/train-{000..999}.tar."
        )
    parts = parts._replace(path=quote(parts.path, _PLAIN), fragment="")
    folder, _, last = parts._replace(query="").geturl().rpartition("/")
    target = cache_folder() / "shards" / place_of(folder) / last
    place = PurePosixPath("/", parts.netloc, unquote(parts.path).lstrip("/"))
    return _Shard(parts.geturl(), folder, target, place)


def _fetch_all(name: str, wanted: Sequence[_Shard], shards: int, on_progress: Progress | None) -> None:
    total = sum(_sizes(name, [shard.address for shard in wanted], shards))
    if not make_room(total):
        raise DataError(
            f"{name} takes {total / 2**30:.2g} GiB, for which the cache in {cache_folder()} has no room (its "
            f"limit is {limit() / 2**30:.2g} GiB): set STRIATE_CACHE_LIMIT, or STRIATE_CACHE to another disk."
        )
    there: dict[str, int] = {}
    lock, stop = threading.Lock(), threading.Event()

    def fetch(address: str, target: Path, is_whole: Callable[[Path], bool] = is_closed) -> None:
        for have in bring(address, target, is_whole):
            if stop.is_set():
                return
            with lock:
                there[address] = have
                if on_progress is not None:
                    on_progress(sum(there.values()), total)

    with suppress(DataError):  # what the numbers in the shards mean, where it says so
        fetch(f"{wanted[0].folder}/{_NAMES}", wanted[0].target.with_name(_NAMES), Path.exists)
    _in_parallel(fetch, [(shard.address, shard.target) for shard in wanted], stop)


def _sizes(name: str, addresses: Sequence[str], shards: int) -> list[int]:
    """Bytes of each, 0 where the server does not say. DataError where it says that there is no such file."""
    with ThreadPoolExecutor(2 * _AT_ONCE) as pool:
        sizes = list(pool.map(size_of, addresses))
    missing = [address for address, size in zip(addresses, sizes, strict=True) if size is None]
    if missing:
        raise DataError(
            f"{len(missing):,} of {shards:,} shards of {name} are not there ({', '.join(missing[:_SHOWN])}): "
            "check the pattern."
        )
    return [size or 0 for size in sizes]


def _in_parallel(
    work: Callable[[str, Path], None], items: Sequence[tuple[str, Path]], stop: threading.Event
) -> None:
    """``work`` for each item, a few at a time; the first failure, and Ctrl-C, end all of it at once."""
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        for done in as_completed([pool.submit(work, *item) for item in items]):
            done.result()
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
