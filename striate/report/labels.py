"""How well each label was found, where an image may have several, and the surest wrong answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from striate.report.pictures import PIXELATED, checked


@dataclass(frozen=True)
class LabelRow:
    """One label of the table; shares from 0 to 1, None where there is nothing to divide by."""

    name: str
    average_precision: float | None
    threshold: float
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


@dataclass(frozen=True)
class LabelPicture:
    key: str
    source: str
    pixelated: bool
    label: str
    probability: float


@dataclass(frozen=True)
class LabelPart:
    """The section. ``galleries``: (heading, how to look at it, pictures)."""

    split: str
    thresholds_from: str
    rows: list[LabelRow]
    galleries: list[tuple[str, str, list[LabelPicture]]]


def label_part(found: dict[str, Any]) -> LabelPart:
    names = found["classes"]
    alarms = [_picture(entry, names) for entry in found["alarms"]]
    missed = [_picture(entry, names) for entry in found["missed"]]
    return LabelPart(
        split=found["split"],
        thresholds_from=found["thresholds_from"],
        rows=[_row(entry) for entry in found["per_label"]],
        galleries=[
            (
                "Said, and not there",
                "The surest first. A label that was forgotten in the data is often found here.",
                alarms,
            ),
            (
                "There, and not said",
                "The least sure first: ask of each whether you would have known.",
                missed,
            ),
        ],
    )


def _row(entry: dict[str, Any]) -> LabelRow:
    shares = {name: entry[name] for name in ("average_precision", "threshold", "precision", "recall", "f1")}
    return LabelRow(name=entry["class"], support=entry["support"], **shares)


def _picture(entry: dict[str, Any], names: list[str]) -> LabelPicture:
    return LabelPicture(
        key=entry["key"],
        source=checked(entry["thumbnail"]),
        pixelated=max(entry["size"]) <= PIXELATED,
        label=names[entry["label"]],
        probability=entry["probability"],
    )
