"""filters.json: a tile is its weights, scaled."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.errors import ArgumentError
from striate.graph import Graph, Node
from striate.insight import first_filters, write_filters
from striate.insight.filters import NEGATIVE, POSITIVE, ZERO, picture_filters
from striate.ops import Conv2d, ReLU
from striate.runs import RunFolder, read_json


def pixels(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def test_one_channel_is_drawn_around_zero() -> None:
    weight = np.array([[[[-2.0, 0.0, 2.0]]], [[[0.0, 0.0, 0.0]]]])
    drawn = picture_filters("conv1", weight)
    assert pixels(drawn["tiles"][0]).tolist() == [[list(NEGATIVE), list(ZERO), list(POSITIVE)]]
    assert (pixels(drawn["tiles"][1]) == ZERO).all()
    assert drawn["largest"] == [2.0, 0.0]


def test_three_channels_are_drawn_in_colour_with_grey_as_zero() -> None:
    weight = np.zeros((1, 3, 1, 2))
    weight[0, 0, 0, 0], weight[0, 2, 0, 0] = 0.5, -0.5
    assert pixels(picture_filters("conv1", weight)["tiles"][0]).tolist() == [[[255, 128, 0], [128, 128, 128]]]


def test_other_channel_counts_show_their_mean_and_at_most_96_filters_are_drawn(tmp_path: Path) -> None:
    weight = np.ones((100, 2, 3, 3), dtype=np.float32)
    written = read_json(write_filters(RunFolder(tmp_path), "stem.0", weight))
    assert (written["layer"], written["shape"], written["palette"]) == (
        "stem.0",
        [100, 2, 3, 3],
        "around zero",
    )
    assert len(written["tiles"]) == 96
    assert (pixels(written["tiles"][0]) == POSITIVE).all()


def test_the_first_convolution_of_a_graph_is_found() -> None:
    conv = Conv2d(1, 2, 3)
    nodes = (
        Node("act", ReLU(), ("x",)),
        Node("conv", conv, ("act",), {"weight": "conv.weight", "bias": "conv.bias"}),
    )
    weights = {"conv.weight": np.ones((2, 1, 3, 3)), "conv.bias": np.zeros(2)}
    name, weight = first_filters(Graph({"x": ("N", 1, 8, 8)}, nodes, ("conv",)), weights)
    assert (name, weight.shape) == ("conv", (2, 1, 3, 3))
    assert first_filters(Graph({"x": ("N", 1, 8, 8)}, nodes[:1], ("act",)), {}) is None


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (
            np.zeros((4, 3, 3)),
            r"must have shape \(filters, channels, height, width\), got \(4, 3, 3\)",
        ),
        (np.full((1, 1, 2, 2), np.nan), r"weight of conv1 must be finite, got NaN"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path: Path, weight: np.ndarray, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        write_filters(RunFolder(tmp_path), "conv1", weight)
    assert not (tmp_path / "insight").exists()
