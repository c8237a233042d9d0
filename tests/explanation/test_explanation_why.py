"""The case for convolution in numbers: the textbook's, and what they leave out."""

from __future__ import annotations

import json

import pytest

from striate.errors import ArgumentError
from striate.explanation.why import connections


def test_the_textbooks_numbers() -> None:
    ways = connections()
    assert ways.of("fully connected").weights == 2_073_600_000
    assert ways.of("convolution").weights == ways.of("one window a unit").weights == 9_000


def test_what_the_textbook_leaves_out() -> None:
    """1000 dense units and 1000 kernels do not give the same number of outputs; sharing saves no work."""
    ways = connections()
    dense, local, shared = (ways.of(name) for name in ("fully connected", "locally connected", "convolution"))
    assert dense.outputs == 1_000 and shared.outputs == 1_000 * 1080 * 1920
    assert shared.multiply_adds == local.multiply_adds == local.weights == 9_000 * 1080 * 1920
    text = ways.text()
    assert "fully connected            2,073,600,000           1,000     2,073,600,000" in text
    assert "18,662,400,000 multiply-adds, with 9,000 weights and 18,662,400,000" in text


def test_colour_images_and_json() -> None:
    ways = connections((3, 8, 8), units=2, kernel=5)
    assert ways.of("convolution").weights == 2 * 5 * 5 * 3
    assert ways.of("convolution").outputs == 2 * 64
    assert json.loads(json.dumps(ways.to_json()))["ways"][0]["weights"] == 3 * 64 * 2
    with pytest.raises(ArgumentError, match="out_features must be an integer of at least 1"):
        connections(units=0)
