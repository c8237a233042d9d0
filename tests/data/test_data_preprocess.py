"""The way from a file to the numbers that a network sees."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.data.preprocess import Preprocessing
from striate.errors import ArgumentError

Draw = Callable[..., Path]


def test_normalising_is_the_formula() -> None:
    how = Preprocessing((2, 2), 3, mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.5))
    images = np.random.default_rng(0).integers(0, 256, (5, 2, 2, 3), dtype=np.uint8)
    expected = (images / 255 - [0.5, 0.4, 0.3]) / [0.1, 0.2, 0.5]
    result = how.normalise(images)
    assert result.dtype == np.float32 and result.shape == (5, 3, 2, 2)
    np.testing.assert_allclose(result, expected.transpose(0, 3, 1, 2), atol=2e-6)


def test_stretching_uses_all_and_cropping_the_middle() -> None:
    wide = np.zeros((10, 30, 1), np.uint8)
    wide[:, 10:20] = 200
    stretched = Preprocessing((10, 10), 1).fit(wide)
    assert stretched[5, 0, 0] == 0 and stretched[5, 5, 0] == 200
    cropped = Preprocessing((10, 10), 1, resize="shorter_side_center_crop").fit(wide)
    assert (cropped == 200).all()
    tall = Preprocessing((20, 10), 1, resize="shorter_side_center_crop").fit(wide.transpose(1, 0, 2))
    assert tall.shape == (20, 10, 1) and tall[0, 0, 0] == 0 and tall[10, 0, 0] == 200


def test_scaling_down_averages() -> None:
    checks = np.indices((64, 64)).sum(0, keepdims=True).transpose(1, 2, 0) % 2 * 255
    small = Preprocessing((8, 8), 1).fit(checks.astype(np.uint8))
    assert np.abs(small.astype(int) - 127).max() <= 2


def test_paths_and_bytes_give_the_same(draw: Draw) -> None:
    path = draw("a.png", size=(9, 7))
    how = Preprocessing((8, 8), 3)
    images = how.decode([path, str(path), path.read_bytes()])
    assert images.shape == (3, 8, 8, 3)
    np.testing.assert_array_equal(images[0], images[1])
    np.testing.assert_array_equal(images[0], images[2])
    assert how.decode([]).shape == (0, 8, 8, 3)


def test_a_large_jpeg_comes_out_as_if_it_were_decoded_whole() -> None:
    rows, columns = np.mgrid[0:1200, 0:1600]
    smooth = (127 + 60 * np.sin(rows / 90) + 60 * np.cos(columns / 70)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(smooth).save(file, "JPEG", quality=95)
    how = Preprocessing.for_size((96, 96), 1)
    whole = how.fit(smooth[..., None])
    assert np.abs(how.decode_one(file.getvalue()).astype(int) - whole).max() <= 3


def test_json_round_trip_and_refusals() -> None:
    how = Preprocessing((224, 160), 3, "shorter_side_center_crop", "bicubic", (0.5,), (0.25, 0.5, 0.75))
    assert how.mean == (0.5, 0.5, 0.5)
    assert Preprocessing.from_json(how.to_json()) == how
    with pytest.raises(
        ArgumentError, match=r"preprocessing cannot be read \(.*colour.*\): write it with to_json"
    ):
        Preprocessing.from_json({**how.to_json(), "colour": 1})


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"image_size": (0, 5)}, r"image_size must be two positive sizes, got \(0, 5\): give"),
        ({"channels": 2}, r"channels must be 1 \(grey\) or 3 \(RGB\), got 2"),
        ({"resize": "squash"}, r"resize must be one of .*stretch.*, got 'squash'"),
        ({"resample": "best"}, r"resample must be one of .*bilinear.*, got 'best'"),
        ({"mean": (0.1, 0.2)}, r"mean must have one number a channel \(3\), got 2"),
        ({"std": (0.1, 0.2, 0.0)}, r"std must be positive, got"),
    ],
)
def test_wrong_fields_are_refused(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        dataclasses.replace(Preprocessing((8, 8), 3), **wrong)


def test_a_share_of_the_middle_is_cut_out_and_enlarged() -> None:
    pixels = np.zeros((8, 12, 3), np.uint8)
    pixels[2:6, 4:8] = 200  # the middle half of the shorter side
    half = Preprocessing((4, 4), 3, "shorter_side_center_crop", crop=0.5)
    assert (half.fit(pixels) == 200).all()
    assert (half.fit(pixels[:, 2:10]) == 200).all()
    same_size = Preprocessing((8, 8), 3, "shorter_side_center_crop", crop=0.25)
    assert (same_size.fit(pixels[:, 2:10]) == 200).all()
    assert Preprocessing.from_json(half.to_json()) == half


@pytest.mark.parametrize("crop", [0.0, -0.5, 1.01])
def test_an_impossible_share_is_refused(crop: float) -> None:
    with pytest.raises(ArgumentError, match="crop must be above 0 and at most 1"):
        Preprocessing((4, 4), 3, crop=crop)
