"""What stands in a run folder, and what is missing from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from striate.errors import RunError, command
from striate.runs import RunFolder, read_json, read_lines


@dataclass(frozen=True)
class Contents:
    """The files of a run as values. What is not there is None or empty; ``gaps`` has a sentence for it."""

    path: Path
    settings: dict[str, Any]
    data: dict[str, Any] | None
    history: list[dict[str, Any]]
    result: dict[str, Any] | None
    network: dict[str, Any] | None
    mistakes: dict[str, Any] | None
    filters: dict[str, Any] | None
    gaps: tuple[str, ...]
    labels: dict[str, Any] | None = None
    """What stands in the place of ``mistakes`` where an image may have several labels."""

    @property
    def is_crossed(self) -> bool:
        """Whether this is a folder of folds."""
        return self.settings.get("folds") is not None

    @property
    def name(self) -> str:
        return self.path.resolve().name


def read_run(path: Path) -> Contents:
    """Read ``path``. RunError when it is not a run of this version; anything else missing is a gap."""
    folder = RunFolder.open(path)
    gaps: list[str] = []

    def read(file: Path, so: str) -> dict[str, Any] | None:
        """The object in ``file``, or None and a gap that ends with ``so``: what the page lacks."""
        name = file.relative_to(path).as_posix()
        if not file.exists():
            gaps.append(f"{name} is not there: {so}")
            return None
        try:
            value = read_json(file)
        except RunError:
            value = None
        if isinstance(value, dict):
            return value
        gaps.append(f"{name} cannot be read: {so}")
        return None

    data = read(folder.data, "nothing about the images it was trained on.")
    several = data is not None and data.get("task") == "labels"
    answers = "labels.json" if several else "mistakes.json"
    found = read(folder.insight / answers, "no confusion matrix, classes or pictures.")
    settings = read_json(folder.settings)
    one = settings.get("folds") is None  # a cross-validation has the pages of its folds for the rest
    return Contents(
        path=path,
        settings=settings,
        result=read(
            folder.result,
            "the run is not finished, and its accuracy is not known. "
            f"{command('train', '--resume', path)} goes on.",
        ),
        history=_history(folder, gaps) if one else [],
        mistakes=None if several else found,
        labels=found if several else None,
        data=data,
        network=read(folder.network, "no table of layers."),
        filters=read(folder.insight / "filters.json", "no picture of the first layer.") if one else None,
        gaps=tuple(gaps),
    )


def _history(folder: RunFolder, gaps: list[str]) -> list[dict[str, Any]]:
    try:
        records = read_lines(folder.history)
    except RunError as error:
        gaps.append(f"no curves: {error}")
        return []
    if not all(isinstance(record, dict) and "epoch" in record for record in records):
        gaps.append("history.jsonl cannot be read: no curves.")
        return []
    if not records:
        gaps.append("history.jsonl holds no finished epoch: no curves.")
    return records
