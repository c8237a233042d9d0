"""Object code kept between runs, in a folder that only its owner can write, every file checked before use.

It is executable code. So the folder must belong to the user and be closed to all others (mode 0700), each
file must begin with the SHA-256 of its name and of what follows, and its name is the SHA-256 of everything
the code depends on. Whatever does not fit is ignored and made again; a cache that cannot be written is no
error.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from functools import cache
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm

from striate.engine.target import Target
from striate.runs import write_atomically

FOLDER = "STRIATE_CACHE"
LARGEST = 2**24  # no kernel's object code comes near it; a larger file is not read


def folder() -> Path:
    """STRIATE_CACHE, or the platform's place for caches."""
    chosen = os.environ.get(FOLDER)
    if chosen:
        return Path(chosen) / "kernels"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "striate" / "kernels"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "striate" / "kernels"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "striate" / "kernels"


def key(text: str, target: Target) -> str:
    """Names code by what it is made of: the kernel with all its sizes, our source, the processor, LLVM."""
    parts = (text, _source(), repr(target), llvmlite.__version__, repr(llvm.llvm_version_info))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@cache
def _source() -> str:
    """One number for all text that can change what is emitted."""
    total = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        total.update(path.read_bytes())
    return total.hexdigest()


def read(name: str) -> bytes | None:
    """The object code of that name, if it is there, ours, whole and unchanged."""
    path = folder() / name
    try:
        if not _private(folder()):
            return None
        with path.open("rb") as file:
            if not _owned(os.fstat(file.fileno())):
                return None
            content = file.read(LARGEST + 1)
    except OSError:
        return None
    digest, code = content[:32], content[32:]
    sound = len(content) <= LARGEST and hashlib.sha256(name.encode() + code).digest() == digest
    return code if sound else None


def write(name: str, code: bytes) -> None:
    """Keep object code for the next process, where that is possible."""
    try:
        folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        if _private(folder()):
            write_atomically(folder() / name, hashlib.sha256(name.encode() + code).digest() + code)
    except OSError:
        return


def _private(path: Path) -> bool:
    """Whether only the user can put files into the folder; Windows guards the user's own folders itself."""
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        return False
    return sys.platform == "win32" or (_owned(status) and stat.S_IMODE(status.st_mode) == 0o700)


def _owned(status: os.stat_result) -> bool:
    return sys.platform == "win32" or (status.st_uid == os.getuid() and not status.st_mode & 0o022)
