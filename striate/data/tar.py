"""What lies in one tar of images, as WebDataset writes them: members of one name belong together.

    000123.jpg  000123.cls       000123.json = {"label": "cat"}       cat/000123.jpg (no label beside it)

The name of a sample is the member's up to the first dot of its last part. Its label is what stands in .cls
(a number or a name; several separated by |), else in .json under label, labels, class or cls, else in .txt;
without any of these it is the folder. Members are looked at where they lie: nothing is unpacked, and links,
devices and names that lead out of the archive are left out.

Format: https://github.com/webdataset/webdataset, and POSIX.1-2001 (pax) for tar itself.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from striate.data.listing import IMAGE_SUFFIXES, readable
from striate.errors import DataError

MOST_OF_A_LABEL = 2**16  # bytes; a longer text is no label
_CLOSING = 2 * 512  # bytes
_LABELS = ("cls", "json", "txt")  # the first that is there
_FIELDS = ("label", "labels", "class", "cls")


@dataclass(frozen=True)
class TarSample:
    """One image of a tar, with its labels; none where nothing names them."""

    name: str
    span: tuple[int, int]
    labels: tuple[str, ...]


@dataclass
class _Group:
    """The members of one sample."""

    image: tuple[int, int] | None = None
    texts: dict[str, bytes] = field(default_factory=dict)


def read_tar(tar: Path, left_out: list[str]) -> list[TarSample]:
    """The images of a tar in the order in which they lie. What is no sample goes to ``left_out``.

    Raises DataError: not a plain tar, cut short, two images of one name, a label that cannot be read.
    """
    try:
        size = tar.stat().st_size
        with tarfile.open(tar, "r:") as archive:
            groups = _groups(tar, archive, size, left_out)
        if not is_closed(tar):
            left_out.append(
                f"what may follow in {readable(tar.name)} (it does not end as a tar: perhaps cut short)"
            )
    except tarfile.TarError as error:
        with tar.open("rb") as file:
            zipped = file.read(3).startswith((b"\x1f\x8b", b"BZh", b"\xfd7z"))
        remedy = "unpack it to a plain .tar, which can be read at any place" if zipped else "copy it again"
        raise DataError(f"{tar} is no whole tar ({error}): {remedy}.") from None
    except OSError as error:
        raise DataError(f"{tar} cannot be read ({error.strerror}): check the file.") from None
    samples = []
    for name, group in groups.items():
        if group.image is None:
            left_out.append(f"{readable(name)} (a label without an image)")
        else:
            samples.append(TarSample(readable(name), group.image, _labels(tar, name, group.texts)))
    return samples


def is_closed(tar: Path) -> bool:
    """Whether a file ends with the two empty blocks that close a tar."""
    with tar.open("rb") as file:
        file.seek(-min(_CLOSING, tar.stat().st_size), 2)
        return file.read() == bytes(_CLOSING)


def _groups(tar: Path, archive: tarfile.TarFile, size: int, left_out: list[str]) -> dict[str, _Group]:
    groups: dict[str, _Group] = {}
    for member in _plain_members(archive, left_out):
        if member.size < 0 or member.offset_data + member.size > size:
            raise tarfile.ReadError("unexpected end of data")
        name, end = _split(member.name)
        if f".{end.rpartition('.')[2]}" in IMAGE_SUFFIXES:
            group = groups.setdefault(name, _Group())
            if group.image is not None:
                raise DataError(f"{tar} has two images called {readable(name)!r}: rename one of them.")
            group.image = (member.offset_data, member.size)
        elif end in _LABELS and member.size <= MOST_OF_A_LABEL:
            text = archive.extractfile(member)
            if text is not None:
                groups.setdefault(name, _Group()).texts[end] = text.read()
    return groups


def _plain_members(archive: tarfile.TarFile, left_out: list[str]) -> Iterator[tarfile.TarInfo]:
    for member in archive:
        path = PurePosixPath(member.name)
        if member.isdir():
            continue
        if not member.isreg() or member.issparse():
            left_out.append(f"{readable(member.name)} (no regular file)")
        elif path.is_absolute() or ".." in path.parts:
            left_out.append(f"{readable(member.name)} (its name leads out of the archive)")
        elif any(part.startswith(".") for part in path.parts):
            left_out.append(f"{readable(member.name)} (hidden)")
        else:
            yield member


def _split(name: str) -> tuple[str, str]:
    """ "a/b.seg.png" -> ("a/b", "seg.png")."""
    folder, slash, last = name.rpartition("/")
    base, _, end = last.partition(".")
    return folder + slash + base, end.lower()


def _labels(tar: Path, name: str, texts: dict[str, bytes]) -> tuple[str, ...]:
    for end in _LABELS:
        if end in texts:
            try:
                text = texts[end].decode("utf-8").strip()
                found = _of_json(json.loads(text)) if end == "json" else text.split("|")
            except (ValueError, RecursionError) as error:
                raise DataError(
                    f"{tar}: the label {readable(name)}.{end} cannot be read ({error})."
                ) from None
            if found is not None:
                return tuple(dict.fromkeys(readable(label.strip()) for label in found if label.strip()))
    folder = PurePosixPath(name).parent.name
    return (readable(folder),) if folder else ()


def _of_json(value: Any) -> list[str] | None:
    """The labels in a JSON value; None where it names none."""
    if isinstance(value, dict):
        value = next((value[key] for key in _FIELDS if key in value), None)
    entries: Iterable[Any] = value if isinstance(value, list) else [value]
    texts = [str(entry) for entry in entries if isinstance(entry, (str, int)) and not isinstance(entry, bool)]
    if isinstance(value, str):
        texts = value.split("|")
    return texts if texts or value == [] else None
