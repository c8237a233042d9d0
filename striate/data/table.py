"""A CSV that says which image has which label: columns path, label and, if there is one, split.

    path,label,split                    labels=... separated by | mean that an image may have several
    cats/1.jpg,cat,train
    "yard, east/7.jpg",cat|dog,val

Paths are relative to the folder of the CSV (or to ``root``) and must stay inside it: a list that somebody
else wrote must not be able to name any file of the machine. The first line names the columns; without such a
line the columns are path, label[, split] in this order. Comma, semicolon and tab separate.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from striate.data.listing import IMAGE_SUFFIXES, SPLIT_OF, ImageFile, Listing, Task, in_order, readable
from striate.errors import DataError

TABLE_SUFFIXES = frozenset({".csv", ".tsv"})
_NAMES = {
    "path": "path file filename file_name filepath file_path image image_path img",
    "label": "label labels class classes target category tag tags",
    "split": "split set subset partition",
}
_COLUMNS = {name: column for column, names in _NAMES.items() for name in names.split()}
_SHOWN = 5


@dataclass(frozen=True)
class _Row:
    number: int
    file: ImageFile
    split: str


def read_table(table: Path, root: Path | None = None, task: Task | None = None) -> Listing:
    """The files that ``table`` lists; whether they exist is found out when they are read.

    ``task``: None is "labels" where any row has several, else "classes". ``root``: the folder that paths are
    relative to (None: that of the table). Raises DataError, which names the rows: not UTF-8, no such columns,
    too few or too many cells, no label, an unknown split, a path outside ``root``, a file with two labels
    or in two splits.
    """
    root = root if root is not None else table.parent
    lines = list(_lines(table))
    columns, rows = _columns(table, lines)
    several = any("|" in row[columns["label"]] for _, row in rows if len(row) > columns["label"])
    if several and task == "classes":
        raise DataError(
            f"{table} gives several labels to an image (cat|dog): leave --task out, or give labels."
        )
    task = task or ("labels" if several else "classes")
    problems: list[str] = []
    read = _Reader(root, task, columns, len(lines[0][1]), problems)
    found = [row for number, cells in rows if (row := read.row(number, cells)) is not None]
    if problems:
        more = f" ... and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise DataError(f"{table} cannot be used: {' '.join(problems[:_SHOWN])}{more}")
    kept, notes = _each_once(table, found)
    if not kept:
        raise DataError(f"{table} lists no images: write one row for each, as in cats/1.jpg,cat.")
    return _listing(table, kept, task, notes)


def _lines(table: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of each line that is not empty."""
    try:
        text = table.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{table} cannot be read ({error.strerror}): check the file.") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{table} is not UTF-8 (byte {error.start}): save it as CSV UTF-8, every spreadsheet offers it."
        ) from None
    first = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise DataError(
            f"{table}, line {reader.line_num}, is no CSV ({error}): close its quotes, or save it again."
        ) from None


def _columns(
    table: Path, lines: Sequence[tuple[int, list[str]]]
) -> tuple[dict[str, int], Sequence[tuple[int, list[str]]]]:
    """Where path, label and split stand, and the lines that are rows."""
    if not lines:
        raise DataError(f"{table} is empty: write the columns path,label and one row for each image.")
    _, first = lines[0]
    known = [_COLUMNS.get(cell.casefold()) for cell in first]
    if "path" in known and "label" in known:
        twice = [column for column, times in Counter(known).items() if column and times > 1]
        if twice:
            raise DataError(f"{table} has two columns for the {twice[0]} ({', '.join(first)}): rename one.")
        return {column: known.index(column) for column in known if column}, lines[1:]
    if len(first) in (2, 3) and Path(first[0]).suffix.lower() in IMAGE_SUFFIXES:
        return dict(zip(("path", "label", "split"), range(len(first)), strict=False)), lines
    raise DataError(
        f"The first line of {table} must name the columns path and label (and split), got "
        f"{', '.join(map(repr, first))}: rename the columns."
    )


@dataclass(frozen=True)
class _Reader:
    """What is the same for all rows; ``problems`` collects a sentence for each that cannot be used."""

    root: Path
    task: Task
    columns: dict[str, int]
    width: int
    problems: list[str]

    def row(self, number: int, cells: list[str]) -> _Row | None:
        try:
            return self._row(number, cells)
        except DataError as problem:
            self.problems.append(f"Line {number} {problem}.")
            return None

    def _row(self, number: int, cells: list[str]) -> _Row:
        given = {column: cells[place] for column, place in self.columns.items() if place < len(cells)}
        if len(given) < len(self.columns) or any(cells[self.width :]):
            raise DataError(
                f"has {len(cells)} cells, the first line has {self.width}: a text with commas needs quotes"
            )
        path = _inside(given["path"], self.root)
        if path is None:
            raise DataError(
                f"names {readable(given['path'])!r}, no file inside {self.root}: --root names the folder "
                "that paths are relative to"
            )
        labels = dict.fromkeys(
            readable(label) for part in given["label"].split("|") if (label := part.strip())
        )
        if not labels and self.task == "classes":
            raise DataError(f"gives {path.name} no label")
        split = SPLIT_OF.get(given["split"].casefold()) if "split" in given else "all"
        if split is None:
            raise DataError(f"has the split {given['split']!r}, it must be train, val or test")
        key = readable(path.relative_to(self.root).as_posix())
        return _Row(number, ImageFile(path, key, tuple(labels)), split)


def _inside(name: str, root: Path) -> Path | None:
    """The path of a name that stays inside ``root``, whether relative or not; None for others."""
    if not name or "\0" in name:
        return None
    if "/" not in name and os.sep == "/":
        name = name.replace("\\", "/")  # a list that was written on Windows
    path = Path(os.path.normpath(root / name))
    base = Path(os.path.normpath(root))
    return root / path.relative_to(base) if path.is_relative_to(base) and path != base else None


def _each_once(table: Path, rows: Sequence[_Row]) -> tuple[list[_Row], tuple[str, ...]]:
    """The rows with every file once; rows that say the same twice are noted, contradictions refused."""
    kept: dict[str, _Row] = {}
    repeated = 0
    for row in rows:
        earlier = kept.setdefault(row.file.key, row)
        if earlier is row:
            continue
        where = f"{table}, lines {earlier.number} and {row.number}: {row.file.key}"
        if earlier.split != row.split:
            raise DataError(f"{where} is in {earlier.split} and in {row.split}: keep it in one of them.")
        if set(earlier.file.labels) != set(row.file.labels):
            raise DataError(
                f"{where} has the labels {earlier.file.label!r} and {row.file.label!r}: keep one, or write "
                f"{earlier.file.label}|{row.file.label} in one row if both are true."
            )
        repeated += 1
    notes = (f"{repeated:,} rows say what another row says: each file is used once.",) if repeated else ()
    return list(kept.values()), notes


def _listing(table: Path, rows: Sequence[_Row], task: Task, notes: tuple[str, ...]) -> Listing:
    parts = {
        split: tuple(row.file for row in rows if row.split == split)
        for split in ("all", "train", "val", "test")
        if any(row.split == split for row in rows)
    }
    if "all" not in parts and "train" not in parts:
        raise DataError(f"{table} has no rows of the split train: add some, or leave the column split out.")
    classes = {
        split: in_order([label for file in files for label in file.labels]) for split, files in parts.items()
    }
    return Listing(table, parts, classes, notes, task)
