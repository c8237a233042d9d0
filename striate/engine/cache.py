"""Object code and whole programs kept between runs, in folders that only their owner can write.

It is executable code, checked before use. So a folder must belong to the user and be closed to all others
(mode 0700), each file must begin with the SHA-256 of its name and of what follows, and its name is the
SHA-256 of everything the content depends on. Whatever does not fit is ignored and made again; a cache that
cannot be written is no error.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

import llvmlite
import llvmlite.binding as llvm

from striate.data.cache import cache_folder
from striate.engine.target import Target
from striate.runs import write_atomically

FOLDER = "STRIATE_CACHE"
LARGEST = 2**24  # no kernel's object code comes near it; a larger file is not read
HOME = Path(__file__).parents[1]


def folder(kind: str = "kernels") -> Path:
    """Where it is, in STRIATE_CACHE or the platform's place for caches."""
    return cache_folder() / kind


def key(text: str, target: Target, rooms: tuple[str, ...] = ("engine",)) -> str:
    """Names a thing by what it is made of: ``text``, our source in ``rooms``, the processor, LLVM."""
    parts = (text, _source(rooms), repr(target), llvmlite.__version__, repr(llvm.llvm_version_info))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@cache
def _source(rooms: tuple[str, ...]) -> str:
    """One number for all text that can change what is emitted."""
    total = hashlib.sha256()
    for room in rooms:
        for path in sorted((HOME / room).rglob("*.py")):
            total.update(path.read_bytes())
    return total.hexdigest()


def read(name: str) -> bytes | None:
    """The object code of that name, if it is there, ours, whole and unchanged."""
    with opened(name, "kernels") as file:
        content = file.read(LARGEST + 1) if file is not None else b""
    digest, code = content[:32], content[32:]
    sound = len(content) <= LARGEST and hashlib.sha256(name.encode() + code).digest() == digest
    return code if sound else None


def write(name: str, code: bytes) -> None:
    """Keep object code for the next process, where that is possible."""
    if (place := own(folder())) is not None:
        with suppress(OSError):
            write_atomically(place / name, hashlib.sha256(name.encode() + code).digest() + code)


@contextmanager
def opened(name: str, kind: str) -> Iterator[BinaryIO | None]:
    """A file of ours, to be read; None where it or its folder is not there, or not only ours."""
    file = None
    try:
        if _private(folder(kind)):
            file = (folder(kind) / name).open("rb")
            if not _owned(os.fstat(file.fileno())):
                file.close()
                file = None
    except OSError:
        file = None
    try:
        yield file
    finally:
        if file is not None:
            file.close()


def own(place: Path) -> Path | None:
    """The folder, made if it is not there; None if it cannot be, or is not the user's alone."""
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        return place if _private(place) else None
    except OSError:
        return None


def _private(path: Path) -> bool:
    """Whether only the user can put files into the folder; Windows guards the user's own folders itself."""
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        return False
    return sys.platform == "win32" or (_owned(status) and stat.S_IMODE(status.st_mode) == 0o700)


def _owned(status: os.stat_result) -> bool:
    return sys.platform == "win32" or (status.st_uid == os.getuid() and not status.st_mode & 0o022)
