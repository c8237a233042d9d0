"""What the first layer looks for: the weights of the first convolution as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from striate.errors import ArgumentError
from striate.graph import Graph
from striate.insight.thumbnail import data_uri
from striate.ops import Conv2d
from striate.runs import RunFolder, write_json

SHOWN = 96  # filters
NEGATIVE, ZERO, POSITIVE = (33, 76, 122), (247, 245, 240), (178, 69, 40)  # blue, paper, brick: sRGB


def first_filters(graph: Graph, weights: Mapping[str, np.ndarray]) -> tuple[str, np.ndarray] | None:
    """Name and weight (out_channels, channels, h, w) of the first two-dimensional convolution, if any."""
    for node in graph:
        if isinstance(node.op, Conv2d):
            return node.name, np.asarray(weights[node.weights["weight"]])
    return None


def write_filters(folder: RunFolder, layer: str, weight: np.ndarray) -> Path:
    """Write insight/filters.json from a weight (K, C, h, w); at most 96 filters, the first ones.

    Raises ArgumentError for a weight that is not finite or has other axes.
    """
    path = folder.insight / "filters.json"
    write_json(path, picture_filters(layer, weight))
    return path


def picture_filters(layer: str, weight: np.ndarray) -> dict[str, Any]:
    """The content of filters.json: one tile a filter, each scaled by its own largest absolute weight."""
    if weight.ndim != 4 or weight.size == 0:
        raise ArgumentError(
            f"weight must have shape (filters, channels, height, width), got {weight.shape}: "
            "give the weight of a two-dimensional convolution."
        )
    if not np.isfinite(weight).all():
        raise ArgumentError(f"weight of {layer} must be finite, got NaN or infinity: train again.")
    colour = weight.shape[1] == 3
    shown = weight[:SHOWN].astype(np.float64)
    tiles = [_in_colour(filter_) if colour else _around_zero(filter_.mean(axis=0)) for filter_ in shown]
    return {
        "layer": layer,
        "shape": list(weight.shape),
        "palette": "colour" if colour else "around zero",
        "tiles": [data_uri(tile) for tile in tiles],
        "largest": [round(float(np.abs(filter_).max()), 6) for filter_ in shown],
    }


def _in_colour(weight: np.ndarray) -> np.ndarray:
    """(3, h, w) -> uint8 (h, w, 3): grey is zero."""
    return np.round(127.5 + 127.5 * _scaled(weight)).astype(np.uint8).transpose(1, 2, 0)


def _around_zero(weight: np.ndarray) -> np.ndarray:
    """(h, w) -> uint8 (h, w, 3): blue below zero, brick above, paper at zero."""
    value = _scaled(weight)[..., None]
    end = np.where(value < 0, NEGATIVE, POSITIVE)
    return np.asarray(np.round(ZERO + (end - np.array(ZERO)) * np.abs(value)), dtype=np.uint8)


def _scaled(weight: np.ndarray) -> np.ndarray:
    """Into -1..1 by the largest absolute value; a filter of zeros stays zero."""
    return np.asarray(weight / (np.abs(weight).max() or 1.0))
