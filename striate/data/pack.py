"""The packed cache: images decoded once, as bytes of one size in a file that is mapped into memory.

    packs/<source>-<frame>/ {pack.json, digests.npy, likeness.npy, frames.u8}

A pack belongs to one source and one form of its images (``frame``) and is keyed by content: a file that has
been renamed is found, one that has changed is not. What a new pack shares with the old one is copied, not
decoded. It appears as a whole or not at all.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from striate.data.cache import alone, cache_folder, make_room, place_of
from striate.data.frame import Frame
from striate.data.likeness import BYTES
from striate.data.listing import ImageFile
from striate.data.scan import Progress, in_pieces
from striate.runs import sync_folder, write_atomically

FORMAT = 1
_AT_ONCE = 64  # rows copied from an old pack in one piece
_TOGETHER = 8  # files that a thread decodes and writes in one piece
_SYNCED_TOGETHER = 32 * 2**20  # bytes


@dataclass(frozen=True, eq=False)
class Pack:
    """Images on disk. ``rows``: SHA-256 of a file's content -> its row."""

    path: Path
    rows: Mapping[str, int]
    frames: NDArray[np.uint8]
    """(N, H, W, C), read-only, mapped."""
    likeness: NDArray[np.uint8]
    """(N, 32): see ``likeness``."""


def open_pack(source: str, frame: Frame) -> Pack | None:
    """The pack of a source, or None where there is none that is whole."""
    path = _path(source, frame)
    try:
        card = json.loads((path / "pack.json").read_text(encoding="utf-8"))
        digests, likeness = (
            np.load(path / f"{name}.npy", allow_pickle=False) for name in ("digests", "likeness")
        )
        shape = (len(digests), *frame.shape)
        whole = (path / "frames.u8").stat().st_size == int(np.prod(shape, dtype=object))
        if (
            card["format"] != FORMAT
            or likeness.shape != (len(digests), BYTES)
            or not len(digests)
            or not whole
        ):
            return None
        frames = np.asarray(np.memmap(path / "frames.u8", np.uint8, "r", shape=shape))
        rows = {digest.tobytes().hex(): row for row, digest in enumerate(digests)}
        os.utime(path / "pack.json")  # used now
    except (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError):
        return None
    return Pack(path, rows, frames, likeness)


def write_pack(
    source: str, frame: Frame, files: Mapping[str, ImageFile], on_progress: Progress | None = None
) -> tuple[Pack | None, dict[str, str]]:
    """Decode what no pack holds yet; returns the pack, and digest -> sentence for files that do not decode.

    ``files``: digest -> a file with this content. No pack: there is no room for it, within the limit or on
    the disk.
    """
    path = _path(source, frame)
    with alone(path.name):  # of several processes one decodes, the others find it
        return _written(path, source, frame, files, on_progress)


def _written(
    path: Path, source: str, frame: Frame, files: Mapping[str, ImageFile], on_progress: Progress | None
) -> tuple[Pack | None, dict[str, str]]:
    old = open_pack(source, frame)
    if old is not None and files.keys() <= old.rows.keys():
        return old, {}
    size = int(np.prod(frame.shape)) * len(files)
    if not make_room(size, keep=path if old is not None else None):
        return None, {}
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    problems: dict[str, str] = {}
    try:
        part.mkdir(parents=True)
        with (part / "frames.u8").open("xb") as file:
            known = _copied(old, files, file)
            file.flush()
            there = {digest for digest, _ in known}
            rest = {digest: files[digest] for digest in files if digest not in there}
            known += _drawn(rest, frame, file, problems, on_progress)
            os.fsync(file.fileno())
        _finish(part, path, source, frame, known)
    except OSError:  # no room after all, or a cache that cannot be written
        return None, problems
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return open_pack(source, frame), problems


def _path(source: str, frame: Frame) -> Path:
    return cache_folder() / "packs" / f"{place_of(source)}-{frame.name}"


def _copied(old: Pack | None, files: Mapping[str, ImageFile], file: BinaryIO) -> list[tuple[str, bytes]]:
    """Write what the old pack holds; (digest, likeness) of each row."""
    if old is None:
        return []
    kept = [(digest, row) for digest, row in old.rows.items() if digest in files]
    for start in range(0, len(kept), _AT_ONCE):
        file.write(old.frames[[row for _, row in kept[start : start + _AT_ONCE]]].tobytes())
    return [(digest, old.likeness[row].tobytes()) for digest, row in kept]


def _drawn(
    files: Mapping[str, ImageFile],
    frame: Frame,
    file: BinaryIO,
    problems: dict[str, str],
    on_progress: Progress | None,
) -> list[tuple[str, bytes]]:
    """Decode files and write them behind what ``file`` holds; (digest, likeness) of each row.

    Each thread writes what it has decoded, where the next rows are free. What is written goes to the disk
    meanwhile, so that at the end hardly anything has to be waited for.
    """
    size, lock = int(np.prod(frame.shape)), threading.Lock()
    first = rows = file.tell() // size
    likeness: dict[int, tuple[str, bytes]] = {}

    def draw(some: Sequence[tuple[str, ImageFile]]) -> list[str]:
        nonlocal rows
        pixels, told = frame.draw_all([one for _, one in some])
        with lock:
            begin, rows = rows, rows + len(pixels)
        with Path(file.name).open("r+b") as own:  # a place in the file belongs to whoever opened it
            own.seek(begin * size)
            own.write(pixels.data)
        good = [(digest, one) for (digest, _), one in zip(some, told, strict=True) if isinstance(one, bytes)]
        likeness.update(enumerate(good, begin))
        return ["" if isinstance(one, bytes) else one for one in told]

    written = 0
    with ThreadPoolExecutor(1) as pool:
        syncing: Future[None] | None = None
        for digest, problem in zip(
            files, in_pieces(draw, files.items(), on_progress, _TOGETHER), strict=True
        ):
            if problem:
                problems[digest] = problem
            written += size
            if written >= _SYNCED_TOGETHER and (syncing is None or syncing.done()):
                if syncing is not None:
                    syncing.result()  # a disk tells of an error once
                written, syncing = 0, pool.submit(os.fsync, file.fileno())
        if syncing is not None:
            syncing.result()
    return [likeness[row] for row in range(first, rows)]


def draw_all(
    files: Sequence[ImageFile], frame: Frame, on_progress: Progress | None = None
) -> Iterator[tuple[NDArray[np.uint8], bytes] | str]:
    """Pixels and likeness of each file, in order; a sentence for one that cannot be decoded."""

    def draw(some: Sequence[ImageFile]) -> list[tuple[NDArray[np.uint8], bytes] | str]:
        pixels, told = frame.draw_all(some)
        left = iter(pixels)
        return [(next(left), one) if isinstance(one, bytes) else one for one in told]

    return in_pieces(draw, files, on_progress)


def _finish(part: Path, path: Path, source: str, frame: Frame, known: Sequence[tuple[str, bytes]]) -> None:
    """Write what belongs to the frames, and put the pack in its place."""
    digests = np.frombuffer(b"".join(bytes.fromhex(digest) for digest, _ in known), np.uint8)
    likeness = np.frombuffer(b"".join(one for _, one in known), np.uint8)
    for name, array in (("digests", digests), ("likeness", likeness)):
        with (part / f"{name}.npy").open("xb") as file:
            np.save(file, array.reshape(len(known), BYTES), allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
    card = {"format": FORMAT, "source": source, "images": len(known), "frame": frame.to_json()}
    write_atomically(part / "pack.json", json.dumps(card))
    old = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with suppress(FileNotFoundError):
        path.rename(old)
    part.rename(path)
    sync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)
