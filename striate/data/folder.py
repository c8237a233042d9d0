"""Which files of a folder belong to which class and which split. Nothing is opened here.

    root/cat/*.jpg, root/dog/*.jpg              class folders: no split is given
    root/train/cat/..., root/val/cat/..., ...   a tree: train or training, val or valid or validation,
                                                test or testing

Images may lie deeper inside a class folder. What is hidden (a name with a leading dot, or the marks
that operating systems leave) and what is no image by its name is left out, and said.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from striate.data.listing import (
    IMAGE_SUFFIXES,
    SPLIT_NAMES,
    ImageFile,
    Listing,
    left_out_note,
    readable,
)
from striate.errors import DataError

_CIRCLE = "a link to a folder that holds it"
_SYSTEM_NAMES = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini", "__pycache__", "lost+found"})


def read_tree(root: Path) -> Listing:
    """Read the names in a folder. Raises DataError: no such folder, a file, no class folders."""
    if not root.exists():
        raise DataError(f"DATA must be a folder of images or a named set, {root} does not exist.")
    if not root.is_dir():
        raise DataError(
            f"DATA must be a folder with one folder of images for each class, {root} is a file: "
            "name the folder that holds the class folders."
        )
    left_out: list[str] = []
    parts = _split_folders(root)
    if parts:
        others = [entry.name for entry in _visible(root, left_out) if entry not in parts.values()]
        left_out += [f"{name} (beside the splits)" for name in others]
    else:
        parts = {"all": root}
    files, classes = {}, {}
    for split, part in parts.items():
        folders = _classes(part, root, left_out)
        files[split] = tuple(file for own in folders.values() for file in own)
        classes[split] = tuple(folders)
    return Listing(root, files, classes, left_out_note(left_out))


def images_in(folder: Path) -> list[Path]:
    """The images below a folder, in the order of their names, whatever they are of: to predict on."""
    return [path for path, _ in _images(folder, folder, [])]


def _split_folders(root: Path) -> dict[str, Path]:
    """The folders of a train/val/test tree, or nothing when the folder is not such a tree.

    A folder named train that holds images directly is a class (of vehicles), not a split.
    """
    named = {entry.name.lower(): entry for entry in _visible(root, []) if entry.is_dir()}
    found: dict[str, Path] = {}
    for split, names in SPLIT_NAMES.items():
        candidates = [named[n] for n in names if n in named and _has_folders(named[n])]
        if len(candidates) > 1:
            raise DataError(
                f"{root} has both {candidates[0].name}/ and {candidates[1].name}/ for the split {split}: "
                "keep one of them."
            )
        if candidates:
            found[split] = candidates[0]
    if found and "train" not in found:
        raise DataError(
            f"{root} has {' and '.join(f'{p.name}/' for p in found.values())} but no train/: "
            "add the folder train/ with one folder for each class."
        )
    return found


def _classes(part: Path, root: Path, left_out: list[str]) -> dict[str, tuple[ImageFile, ...]]:
    entries = list(_visible(part, left_out))
    above = {_identity(root), _identity(part)}
    circles = [entry for entry in entries if entry.is_dir() and _identity(entry) in above]
    left_out += [f"{_readable(entry, root)} ({_CIRCLE})" for entry in circles]
    folders = [entry for entry in entries if entry.is_dir() and entry not in circles]
    loose = [entry for entry in entries if not entry.is_dir()]
    if not folders:
        images = sum(_is_image(entry) for entry in loose)
        raise DataError(
            f"{part} has no class folders ({images} images lie in it directly): "
            "put the images of each class into a folder named after the class."
        )
    left_out += [f"{_readable(entry, root)} (in no class folder)" for entry in loose]
    return {
        _readable(folder, part): tuple(
            ImageFile(path, key, (_readable(folder, part),)) for path, key in _images(folder, root, left_out)
        )
        for folder in folders
    }


def _images(
    folder: Path, root: Path, left_out: list[str], above: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[tuple[Path, str]]:
    """Images below a folder, and their readable paths from the root.

    ``above``: the folders on the way here, so that a link upwards ends.
    """
    above |= {_identity(folder)}
    plain, place = _plain_files(folder), _readable(folder, root)
    for entry in _visible(folder, left_out):
        if entry.name in plain and _is_image(entry):
            yield entry, readable(entry.name) if place == "." else f"{place}/{readable(entry.name)}"
        elif entry.is_dir() and _identity(entry) in above:
            left_out.append(f"{_readable(entry, root)} ({_CIRCLE})")
        elif entry.is_dir():
            yield from _images(entry, root, left_out, above)
        elif not _is_image(entry):
            left_out.append(f"{_readable(entry, root)} (no image by its name)")
        elif entry.exists() and not entry.is_file():  # a pipe or a device: reading it might never end
            left_out.append(f"{_readable(entry, root)} (no regular file)")
        else:
            yield entry, _readable(entry, root)


def _plain_files(folder: Path) -> set[str]:
    """The names of files that are no links: the system tells them with the names, nothing else is asked."""
    with suppress(OSError), os.scandir(folder) as found:
        return {entry.name for entry in found if entry.is_file(follow_symlinks=False)}
    return set()


def _visible(folder: Path, left_out: list[str]) -> list[Path]:
    """The entries of a folder in the order of their names; hidden ones go to ``left_out``."""
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror}): check its permissions.") from None
    hidden = [e for e in entries if e.name.startswith(".") or e.name in _SYSTEM_NAMES]
    left_out += [f"{folder.name}/{entry.name} (hidden)" for entry in hidden]
    return [entry for entry in entries if entry not in hidden]


def _identity(folder: Path) -> tuple[int, int]:
    """The same for every path to a folder, links included."""
    found = folder.stat()
    return found.st_dev, found.st_ino


def _has_folders(folder: Path) -> bool:
    return any(entry.is_dir() for entry in _visible(folder, []))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _readable(path: Path, root: Path) -> str:
    """The path from the root, as it can be written."""
    return readable(path.relative_to(root).as_posix())
