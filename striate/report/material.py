"""What the network learned from: splits, their classes, how an image becomes numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from striate.report.wording import count

SHOWN = 8  # files of a finding

# Fields of preprocessing.json in words; size and channels stand above them.
_WORDS = {
    "resize": "fitted to size by",
    "resample": "pixels interpolated",
    "mean": "subtracted from each channel (of 0 to 1)",
    "std": "then divided by",
}


@dataclass(frozen=True)
class Split:
    """Images in all, and in the smallest and the largest class."""

    name: str
    images: str
    fewest: str
    most: str


@dataclass(frozen=True)
class MaterialPart:
    splits: list[Split]
    rows: list[tuple[str, str]]
    notes: list[str]
    findings: list[tuple[str, list[str]]]
    """What would mislead: (sentence, the first files)."""


def material_part(data: dict[str, Any]) -> MaterialPart:
    height, width = data["image_size"]
    rows = [
        ("source", str(data["source"])),
        ("classes", count(len(data["classes"]))),
        ("each image", f"{height} × {width} pixels, {'grey' if data['channels'] == 1 else 'colour'}"),
    ]
    preprocessing = data.get("preprocessing") or {}
    rows += [(words, _plain(preprocessing[name])) for name, words in _WORDS.items() if name in preprocessing]
    splits = [_split(name, split) for name, split in data["splits"].items() if split]
    findings = [
        (str(found["message"]), [str(file) for file in found["files"][:SHOWN]])
        for found in data.get("findings", [])
    ]
    return MaterialPart(splits, rows, [str(note) for note in data.get("notes", [])], findings)


def _split(name: str, split: dict[str, Any]) -> Split:
    counts = split["per_class"]
    return Split(name, count(split["images"]), count(min(counts)), count(max(counts)))


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("_", " ")
