"""One look at every file: its content's digest, its size, whether it is grey, and whether it opens.

Only the header is decoded; ``thorough`` decodes the pixels too: that finds what is cut short, and gives the
hash by which nearly equal pictures are found. What was seen is kept for as long as the file stays as it is.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from striate.data.decode import decode_picture, look_at
from striate.data.facts import FactStore, Stamp, stamp_of
from striate.data.likeness import hash_of
from striate.data.listing import ImageFile
from striate.errors import ImageError

Progress = Callable[[int, int], None]
"""Called with (done, total)."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_TOGETHER = 4  # items that a thread takes at once: handing one over costs as much as a look at a small file
_AHEAD = 2  # finished pieces of work for each thread that may wait to be taken
_QUICK = 0.2e-3  # seconds; shorter looks are mostly Python, for which several threads only take turns
_PATIENCE = 8  # looks in a row that may take longer before threads are asked


@dataclass(frozen=True, slots=True)
class Facts:
    """What one look at a file told. ``problem`` is the sentence why it cannot be used, or None."""

    file: ImageFile
    digest: str
    size: tuple[int, int]
    """Height and width in pixels as seen upright; (0, 0) if the file does not open."""
    grey: bool
    problem: str | None = None
    likeness: bytes | None = None
    """The hash of the picture, see ``likeness``; None: the pixels were not looked at."""


def scan(
    files: Sequence[ImageFile],
    *,
    thorough: bool = False,
    store: FactStore | None = None,
    on_progress: Progress | None = None,
) -> list[Facts]:
    """Look at files with a few threads; the result has the order of ``files``.

    ``store`` gives what is known already, and takes in what is new.
    """
    stamp = cache(stamp_of)  # an archive is asked once, not for each image in it

    def look(file: ImageFile) -> Facts:
        known = recalled(file, store, stamp(file.path))
        if known is not None and (not thorough or known.problem is not None or known.likeness is not None):
            return known
        return _look(file, thorough)

    seen = _while_quick(look, files, on_progress)
    after = None if on_progress is None else lambda done, _: on_progress(len(seen) + done, len(files))
    seen += list(in_threads(look, files[len(seen) :], after))
    if store is not None:
        remember(seen, store, stamp)
    return seen


def recalled(file: ImageFile, store: FactStore | None, stamp: Stamp | None) -> Facts | None:
    """The facts of a file as they were stored, if it is still the same file."""
    value: Any = store.get(_name(file), stamp) if store is not None else None
    try:
        digest, height, width, grey, problem, likeness = value
        picture = bytes.fromhex(likeness) if likeness is not None else None
        return Facts(file, str(digest), (int(height), int(width)), bool(grey), problem, picture)
    except (TypeError, ValueError):  # nothing is known, or not in this form
        return None


def remember(
    seen: Iterable[Facts], store: FactStore, stamp: Callable[[Path], Stamp | None] = stamp_of
) -> None:
    """Store facts; those of files that could not be read at all are not worth it."""
    for fact in seen:
        if fact.digest:
            likeness = fact.likeness.hex() if fact.likeness is not None else None
            value = [fact.digest, *fact.size, fact.grey, fact.problem, likeness]
            store.put(_name(fact.file), stamp(fact.file.path), value)
    store.save()


def _while_quick(
    look: Callable[[ImageFile], Facts], files: Sequence[ImageFile], on_progress: Progress | None
) -> list[Facts]:
    """Look at files one after the other, as long as that is quick: small ones that no disk is waited for."""
    seen: list[Facts] = []
    slow, began = 0, time.perf_counter()
    for file in files:
        seen.append(look(file))
        if on_progress is not None:
            on_progress(len(seen), len(files))
        now = time.perf_counter()
        slow, began = (slow + 1 if now - began > _QUICK else 0), now
        if slow == _PATIENCE:
            break
    return seen


def in_threads(
    work: Callable[[_Item], _Result], items: Iterable[_Item], on_progress: Progress | None = None
) -> Iterator[_Result]:
    """``map`` with a pool of threads (Pillow lets go of the interpreter lock); see ``in_pieces``."""
    return in_pieces(lambda some: [work(item) for item in some], items, on_progress)


def in_pieces(
    work: Callable[[Sequence[_Item]], Sequence[_Result]],
    items: Iterable[_Item],
    on_progress: Progress | None = None,
    most: int = _TOGETHER,
) -> Iterator[_Result]:
    """``work`` for at most ``most`` items at once, with a pool of threads; a result for each item, in order.

    No more than a few results wait to be taken, so that memory stays bounded however many items there are.
    """
    every = list(items)
    threads = threads_for_images()
    size = max(1, min(most, len(every) // (_AHEAD * threads)))
    pieces = (every[start : start + size] for start in range(0, len(every), size))
    pool = ThreadPoolExecutor(threads)

    def submitted(count: int) -> Iterator[Future[Sequence[_Result]]]:
        return (pool.submit(work, some) for some in islice(pieces, count))

    done = 0
    try:
        waiting = deque(submitted(_AHEAD * threads))
        while waiting:
            results = waiting.popleft().result()
            waiting.extend(submitted(1))
            for result in results:
                done += 1
                if on_progress is not None:
                    on_progress(done, len(every))
                yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def threads_for_images() -> int:
    """Threads that decode: as many as there are processors for this process, at most 32."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(32, own or 1)


def _name(file: ImageFile) -> str:
    return file.key if file.span is None else f"{file.key} {file.span[0]}+{file.span[1]}"


def _look(file: ImageFile, thorough: bool) -> Facts:
    try:
        content = file.read()
    except OSError as error:
        return unread(file, error)
    digest = hashlib.sha256(content).hexdigest()
    try:
        size, grey = look_at(content, file.key)
        seen = Facts(file, digest, size, grey)
        if thorough:
            small = decode_picture(content, 1, name=file.key, at_least=(256, 256))
            seen = replace(seen, likeness=hash_of(small))
    except ImageError as error:
        return Facts(file, digest, (0, 0), False, str(error))
    return seen


def unread(file: ImageFile, error: OSError) -> Facts:
    """The facts of a file that the system does not give."""
    reason = error.strerror or str(error)
    return Facts(file, "", (0, 0), False, f"{file.key} cannot be read ({reason}): check the file.")
