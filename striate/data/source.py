"""Which kind of source a name means, and what it lists."""

from __future__ import annotations

import os
import re
from pathlib import Path

from striate.data.arrays import ArraySet
from striate.data.braces import expand
from striate.data.folder import read_tree
from striate.data.idx import idx_pairs, is_idx, read_idx_pairs
from striate.data.listing import IMAGE_SUFFIXES, Listing, Task
from striate.data.named import CLASSES, NAMED, named_here, read_named
from striate.data.npz import read_npz
from striate.data.remote import is_address, read_remote
from striate.data.scan import Progress
from striate.data.shards import read_shards, tars_in
from striate.data.table import TABLE_SUFFIXES, read_table
from striate.errors import ArgumentError, DataError, nearest

KINDS = "a folder of images, a .csv, .tar, .npz or IDX file, the address of .tar shards, or a named set"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+-]+:")  # two letters at least: C: is a drive; net.py:Net a network


def read_source(
    name: str,
    *,
    task: Task | None = None,
    root: str | Path | None = None,
    on_progress: Progress | None = None,
    known: ArraySet | None = None,
) -> Listing | ArraySet:
    """What ``name`` lists, before any image of a file is decoded.

    ``task``: None takes what the source shows. ``root``: of a CSV, the folder that its paths are relative to.
    ``known``: what ``arrays_here`` has found.
    Raises DataError: no such source, or one that contradicts itself.
    """
    found = known or _read(name, task, Path(root).expanduser() if root is not None else None, on_progress)
    if task == "classes" and found.task == "labels":
        raise DataError(f"{name} gives several labels to an image: leave --task out, or give labels.")
    return found


def arrays_here(name: str) -> ArraySet | None:
    """What ``read_source`` finds where ``name`` is a named set, an IDX or an .npz file, or a folder of IDX
    files, and lies on this machine; None for all else. Raises DataError for files that are not whole."""
    if name in NAMED:
        arrays = named_here(name)
        return ArraySet(arrays, CLASSES) if arrays is not None else None
    path = Path(name).expanduser()
    if path.is_dir():
        pairs = idx_pairs(path)
        return read_idx_pairs(pairs, str(path)) if pairs else None
    if path.is_file() and _kind(path) in ("idx", "npz"):
        found = _file(path, None, None)
        return found if isinstance(found, ArraySet) else None
    return None


def absolute(name: str) -> str:
    """The name of a source that is the same from every folder."""
    path = Path(name).expanduser()
    if is_address(name):
        return name
    if path.exists():
        return str(path.resolve())
    return os.path.abspath(path) if _is_pattern(name) else name  # noqa: PTH100 - resolve looks for the file


def is_source(name: str) -> bool:
    """Whether a name means images: a named set, a pattern of shards, an address, a file of a kind."""
    path = Path(name)
    return (
        name in NAMED
        or _is_pattern(name)
        or bool(_SCHEME.match(name))
        or (path.is_file() and _kind(path) != "")
    )


def is_table(name: str) -> bool:
    """Whether a name is that of a CSV, whose paths begin somewhere."""
    return Path(name).suffix.lower() in TABLE_SUFFIXES


def _read(
    name: str, task: Task | None, root: Path | None, on_progress: Progress | None
) -> Listing | ArraySet:
    if root is not None and not is_table(name):
        raise ArgumentError(f"--root must come with a CSV, got {name}: leave it out.")
    if name in NAMED:
        return ArraySet(read_named(name, on_progress), CLASSES)
    if is_address(name):
        return read_remote(name, task, on_progress)
    _refuse_scheme(name)
    if _is_pattern(name):
        return read_shards(name, [Path(one).expanduser() for one in expand(name)], task)
    path = existing(name)
    if path.is_dir():
        return _folder(path, task)
    return _file(path, task, root)


def _folder(path: Path, task: Task | None) -> Listing | ArraySet:
    try:
        pairs, tars = idx_pairs(path), tars_in(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): check its permissions.") from None
    if pairs:
        return read_idx_pairs(pairs, str(path))
    if tars:
        return read_shards(str(path), tars, task)
    tree = read_tree(path)
    return Listing(tree.root, tree.parts, tree.classes, tree.notes, task or tree.task)


def _file(path: Path, task: Task | None, root: Path | None) -> Listing | ArraySet:
    match _kind(path):
        case "table":
            return read_table(path, root, task)
        case "tar":
            return read_shards(str(path), [path], task)
        case "npz":
            return read_npz(path)
        case "idx":
            return read_idx_pairs(idx_pairs(path), str(path))
    what = "one image" if path.suffix.lower() in IMAGE_SUFFIXES else "a file of no kind that holds a set"
    raise DataError(f"DATA must be {KINDS}; {path} is {what}: name the folder that holds the class folders.")


def _kind(path: Path) -> str:
    end = path.suffix.lower()
    if end in TABLE_SUFFIXES:
        return "table"
    return {".tar": "tar", ".npz": "npz"}.get(end) or ("idx" if is_idx(path) else "")


def _is_pattern(name: str) -> bool:
    return "{" in name and name.endswith(".tar") and not Path(name).exists()


def _refuse_scheme(name: str) -> None:
    """Refuse what would run a command or needs another program to be fetched."""
    if not _SCHEME.match(name) or os.path.lexists(name):
        return
    scheme = name.partition(":")[0].lower()
    if scheme == "pipe":
        raise DataError(
            "DATA must not be a command, and pipe: would run one: fetch the shards first, and name the files."
        )
    raise DataError(
        f"DATA must be {KINDS}, got the address {scheme}:..., which is not fetched: give "
        "https://, or fetch it first."
    )


def existing(name: str) -> Path:
    """The path of a source that is no named set. Raises DataError with the nearest named sets."""
    if not name.strip():  # Path("") would be the folder that one stands in
        raise DataError(f"DATA must be {KINDS}, got nothing: name the folder.")
    path = Path(name).expanduser()
    if not path.exists():
        hint = nearest(name, NAMED)
        raise DataError(
            f"DATA must be {KINDS}; {name} does not exist: "
            + (hint or f"check the path, or give one of {', '.join(NAMED)}.")
        )
    return path
