"""A run folder: its names, and the only way files are written in it: atomically.

    runs/<name>/{settings.json, data.json, history.jsonl, result.json, network.json,
                 checkpoints/, insight/*.json, bundle/, report.html}

Rooms that follow each other in time meet through these files and through nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from striate.errors import RunError, command

FORMAT = 1  # raised when a file of the folder changes its meaning; stands in settings.json


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write ``path`` so that a reader, or a crash, sees the old file or the new one, never half of one.

    Raises OSError (disk full, read-only) after removing the temporary file; the old file is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{os.urandom(6).hex()}.part"
    try:
        with temporary.open("xb") as file:  # as other files of this user: mkstemp would hide it from others
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename durable. Windows has no such call, and some network disks refuse it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """An OSError inside (disk full, read-only, the folder is gone) becomes a RunError about ``path``."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{path} cannot be written ({error.strerror or error}): make room, or check the folder."
        ) from None


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as JSON. NaN is refused with ValueError: JSON has no word for it. Raises RunError."""
    with writing(path):
        write_atomically(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file; RunError when it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path} does not exist: train again, or name another run.") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}): restore the file, or train again.") from None


def read_record(path: Path, **kinds: type) -> dict[str, Any]:
    """The object in a JSON file; RunError unless it holds each key of ``kinds`` with a value of that type."""
    record = read_json(path)
    for key, kind in kinds.items():
        if not isinstance(record, dict) or not isinstance(record.get(key), kind):
            raise RunError(f"{path} must hold {key!r}, and does not: restore the file, or train again.")
    return dict(record)


def append_line(path: Path, record: Mapping[str, object]) -> None:
    """Append one record to a .jsonl file and flush it. Raises RunError."""
    with writing(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(dict(record), ensure_ascii=False, allow_nan=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All records of a .jsonl file; a last line that a crash cut short is left out."""
    if not path.exists():
        return []
    records: list[dict[str, Any]] = []
    lines = path.read_bytes().splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            records.append(dict(json.loads(line)))
        except (TypeError, ValueError):
            if number == len(lines):
                break
            raise RunError(
                f"{path}, line {number} is no JSON object: remove the line, or train again."
            ) from None
    return records


@dataclass(frozen=True)
class RunFolder:
    """The names inside one run folder. It holds no state: what is true stands in the files."""

    path: Path

    @property
    def settings(self) -> Path:
        """What was asked for and chosen, written before the first step."""
        return self.path / "settings.json"

    @property
    def data(self) -> Path:
        """The classes, splits and preprocessing that the network was trained with."""
        return self.path / "data.json"

    @property
    def history(self) -> Path:
        """One line an epoch."""
        return self.path / "history.jsonl"

    @property
    def result(self) -> Path:
        """The final numbers; its presence means that the run is finished."""
        return self.path / "result.json"

    @property
    def network(self) -> Path:
        """The captured graph."""
        return self.path / "network.json"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def insight(self) -> Path:
        return self.path / "insight"

    @property
    def bundle(self) -> Path:
        return self.path / "bundle"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    def fold(self, number: int) -> RunFolder:
        """The run of one fold, from 1, inside the folder of a cross-validation."""
        return RunFolder(self.path / f"fold-{number}")

    def sweep(self) -> None:
        """Remove what a killed process had half written. Raises OSError."""
        for rest in self.path.rglob(".*.part"):
            if rest.is_dir():
                shutil.rmtree(rest)
            else:
                rest.unlink()

    @classmethod
    def create(cls, path: Path | None, hint: str) -> RunFolder:
        """Make a new run folder: ``path``, or ``runs/<hint>-<n>`` with the first free n.

        Raises RunError when ``path`` is a file, is not empty or cannot be made.
        """
        try:
            if path is not None:
                path.mkdir(parents=True, exist_ok=True)
                if any(path.iterdir()):
                    raise RunError(
                        f"--run must be a new or empty folder, {path} is not empty: choose another name, "
                        f"or continue that run with {command('train', '--resume', path)}."
                    )
                return cls(path)
            return cls(_first_free(Path("runs"), hint))
        except OSError as error:
            raise RunError(
                f"The run folder {path or 'runs/'} cannot be made ({error.strerror}): choose another place "
                "with --run."
            ) from None

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run. Raises RunError: no such folder, not a run, written by another version."""
        if not path.exists():
            raise RunError(f"RUN must be a run folder, {path} does not exist: look into runs/.")
        folder = cls(path)
        if not path.is_dir() or not folder.settings.exists():
            raise RunError(f"RUN must be a run folder, {path} has no settings.json: look into runs/.")
        settings = read_json(folder.settings)
        written = settings.get("format") if isinstance(settings, dict) else None
        if written != FORMAT:
            raise RunError(
                f"{path} was written in run format {written}, this striate reads format {FORMAT}: "
                f"use the version of striate that wrote it, or train again."
            )
        return folder


def _first_free(root: Path, hint: str) -> Path:
    """Make and return ``root/<hint>-<n>``; mkdir decides, so that two processes never share one."""
    root.mkdir(exist_ok=True)
    number = 1
    while True:
        try:
            candidate = root / f"{hint}-{number}"
            candidate.mkdir()
            return candidate
        except FileExistsError:
            number += 1
