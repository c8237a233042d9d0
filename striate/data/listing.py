"""What a source lists before any image is decoded: which file has which label and belongs to which split."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Task = Literal["classes", "labels"]
""" "classes": every image has one class; "labels": any number of labels, or none."""

SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
SPLIT_OF = {name: split for split, names in SPLIT_NAMES.items() for name in names}
_NAMES_OF_FORMATS = "png jpg jpeg jpe jfif bmp gif tif tiff webp avif ppm pgm pbm pnm"
IMAGE_SUFFIXES = frozenset(f".{name}" for name in _NAMES_OF_FORMATS.split(" "))


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One encoded image: a file, or a part of one."""

    path: Path
    """The file, or the archive that holds it."""
    key: str
    """The path from the root, with forward slashes: what predictions and messages are keyed by."""
    labels: tuple[str, ...]
    """Names; one where images have classes."""
    span: tuple[int, int] | None = None
    """First byte and number of bytes inside an archive; None: the whole file."""

    @property
    def label(self) -> str:
        """The label for a sentence."""
        return "|".join(self.labels)

    def read(self) -> bytes:
        """The encoded image. Raises OSError."""
        if self.span is None:
            with self.path.open("rb", buffering=0) as file:  # two calls of the system less than read_bytes
                return file.readall()
        with self.path.open("rb") as archive:
            archive.seek(self.span[0])
            return archive.read(self.span[1])


@dataclass(frozen=True)
class Listing:
    """The files of a source, sorted. There is only the split "all" where the source gives none."""

    root: Path | str
    """What the source is called in messages."""
    parts: Mapping[str, tuple[ImageFile, ...]]
    """Split -> its files."""
    classes: Mapping[str, tuple[str, ...]]
    """Split -> the labels that it announces, those without a file included."""
    notes: tuple[str, ...] = ()
    task: Task = "classes"

    @property
    def training(self) -> str:
        """The split that is trained on."""
        return "all" if "all" in self.parts else "train"

    def files(self, split: str) -> tuple[ImageFile, ...]:
        """All files of a split, each once."""
        return self.parts[split]

    @cached_property
    def splits(self) -> dict[str, dict[str, tuple[ImageFile, ...]]]:
        """Split -> label -> the files that have it; a label without files has an empty tuple."""
        return {split: _by_label(files, self.classes.get(split, ())) for split, files in self.parts.items()}


def _by_label(files: Sequence[ImageFile], announced: Sequence[str]) -> dict[str, tuple[ImageFile, ...]]:
    found: dict[str, list[ImageFile]] = {label: [] for label in announced}
    for file in files:
        for label in file.labels:
            found.setdefault(label, []).append(file)
    return {label: tuple(own) for label, own in found.items()}


def labels_of(files: Sequence[ImageFile], classes: Sequence[str], task: Task) -> NDArray[np.int64]:
    """Class numbers int64 (N,), or for labels 0 and 1 as int64 (N, K)."""
    numbers = {label: number for number, label in enumerate(classes)}
    if task == "classes":
        return np.array([numbers[file.labels[0]] for file in files], np.int64)
    answers = np.zeros((len(files), len(classes)), np.int64)
    for row, file in enumerate(files):
        answers[row, [numbers[label] for label in file.labels]] = 1
    return answers


def in_order(names: Sequence[str]) -> tuple[str, ...]:
    """Different names in the order in which people count them: 2 before 10 where all are numbers."""
    every = set(names)
    if all(name.isascii() and name.isdigit() for name in every):
        return tuple(sorted(every, key=lambda name: (int(name), name)))
    return tuple(sorted(every))


def readable(name: str) -> str:
    """A name that can be written: broken UTF-8 and control characters are spelled out, caf\\xe9.jpg."""
    if name.isascii() and name.isprintable():
        return name
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(
        letter.encode("unicode_escape").decode() if unicodedata.category(letter) == "Cc" else letter
        for letter in text
    )


def left_out_note(left_out: Sequence[str], shown: int = 5) -> tuple[str, ...]:
    """One sentence about what was left out, or none."""
    if not left_out:
        return ()
    more = f" and {len(left_out) - shown} more" if len(left_out) > shown else ""
    return (f"Left out: {', '.join(left_out[:shown])}{more}.",)
