"""The images that say most: the worst mistakes, the most doubtful answers, and the first layer's filters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

PIXELATED = 64  # a picture with no side longer than this is enlarged with hard edges, as the network sees it
_DATA_URI = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]+")


@dataclass(frozen=True)
class Picture:
    """One image with its two most telling classes: what it was called, and what it is (or nearly was)."""

    key: str
    source: str
    pixelated: bool
    right: bool
    called: str
    called_probability: float
    other: str
    other_probability: float


def mistake_pictures(mistakes: dict[str, Any]) -> tuple[list[Picture], list[Picture]]:
    """The worst and the most doubtful ones."""
    names = mistakes["classes"]
    return (
        [_picture(entry, names) for entry in mistakes["worst"]],
        [_picture(entry, names) for entry in mistakes["doubtful"]],
    )


def _picture(entry: dict[str, Any], names: list[str]) -> Picture:
    (first, sure), *others = entry["guesses"]
    label = entry["label"]
    right = label == first
    other, rest = (others[0] if others else (first, 0.0)) if right else (label, entry["label_probability"])
    return Picture(
        key=entry["key"],
        source=checked(entry["thumbnail"]),
        pixelated=max(entry["size"]) <= PIXELATED,
        right=right,
        called=names[first],
        called_probability=sure,
        other=names[other],
        other_probability=rest,
    )


@dataclass(frozen=True)
class FilterPart:
    """Tiles of the first layer; ``look`` says how to read them."""

    layer: str
    tiles: list[str]
    look: str


def filter_part(filters: dict[str, Any]) -> FilterPart:
    total, channels, height, width = filters["shape"]
    tiles = [checked(tile) for tile in filters["tiles"]]
    if filters["palette"] == "colour":
        key = "Colours are the weights of red, green and blue; grey is zero."
    else:
        key = "Red-brown is above zero, blue below, white is zero."
        key += f" Each tile is the mean over {channels} input channels." if channels > 1 else ""
    shown = f"The first {len(tiles)} of {total}" if len(tiles) < total else f"All {total}"
    look = (
        f"{shown} windows of {height}×{width} pixels, each scaled by its largest weight. {key} "
        "Look for edges, spots and stripes at several angles; a tile of mere speckle has learned little."
    )
    return FilterPart(filters["layer"], tiles, look)


def checked(uri: str) -> str:
    """The page loads nothing from outside: only PNG data is let through."""
    if not _DATA_URI.fullmatch(uri):
        raise ValueError(f"a picture must be a PNG data URI, got {uri[:40]!r}")
    return uri
