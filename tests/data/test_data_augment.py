"""Each variation does what its name says, and the presets suit their kinds."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from striate.data.augment import Augmentation, preset
from striate.data.catalogue import open_dataset
from striate.data.dataset import Dataset, ImageSet
from striate.data.preprocess import Preprocessing
from striate.data.variation import Varied
from striate.errors import ArgumentError

INDEX = np.arange(400)
RANGE = torch.ones(3)


def varied(**fields: Any) -> Varied:
    return Varied(Augmentation(**fields), seed=1, epoch=2, index=INDEX)


def numbered(height: int = 6, width: int = 8) -> torch.Tensor:
    """400 equal images whose every pixel has its own number."""
    image = torch.arange(height * width, dtype=torch.uint8).reshape(1, height, width, 1)
    return image.expand(len(INDEX), -1, -1, 3).contiguous()


def test_no_variation_changes_nothing() -> None:
    images = numbered()
    assert torch.equal(varied().pixels(images), images)
    values = images.float()
    assert torch.equal(varied().values(values, RANGE), values)


def test_half_of_the_images_are_mirrored() -> None:
    images = numbered()
    result = varied(flip=True).pixels(images)
    mirrored = (result == images.flip(2)).all(dim=(1, 2, 3))
    kept = (result == images).all(dim=(1, 2, 3))
    assert (mirrored ^ kept).all()
    assert 150 < int(mirrored.sum()) < 250


@pytest.mark.parametrize("flip", [False, True])
def test_shifting_moves_by_every_amount_and_mirrors_the_border(flip: bool) -> None:
    images = numbered()
    result = varied(shift=2, flip=flip).pixels(images)
    padded = np.pad(images[0].numpy(), ((2, 2), (2, 2), (0, 0)), mode="reflect")
    expected = {}
    for down in range(5):
        for right in range(5):
            window = padded[down : down + 6, right : right + 8]
            expected[window.tobytes()] = (down, right, False)
            expected[
                np.pad(images[0].numpy()[:, ::-1], ((2, 2), (2, 2), (0, 0)), mode="reflect")[
                    down : down + 6, right : right + 8
                ].tobytes()
            ] = (down, right, True)
    seen = {expected[np.ascontiguousarray(image).tobytes()] for image in result.numpy()}
    assert len(seen) == (50 if flip else 25)


def test_erasing_sets_one_square_to_the_mean() -> None:
    erased = varied(erase=3).values(torch.ones(len(INDEX), 6, 8, 3), RANGE) == 0
    assert (erased.sum(dim=(1, 2, 3)) == 27).all()
    rows, columns = erased[..., 0].any(dim=2), erased[..., 0].any(dim=1)
    assert (rows.sum(1) == 3).all() and (columns.sum(1) == 3).all()
    corners = {(int(r.int().argmax()), int(c.int().argmax())) for r, c in zip(rows, columns, strict=True)}
    assert corners == {(top, left) for top in range(4) for left in range(6)}


def test_a_part_lies_inside_and_has_its_share_of_the_area() -> None:
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    ramp = torch.stack([rows, columns, rows], dim=-1).expand(len(INDEX), -1, -1, -1).contiguous()
    part = varied(scale_crop=(0.3, 0.8)).values(ramp, RANGE)
    assert part.shape == ramp.shape and part.min() >= 0 and part.max() <= 31
    tall = (part[:, -2, 16, 0] - part[:, 1, 16, 0]) / 29  # source pixels per result pixel, away from edges
    wide = (part[:, 16, -2, 1] - part[:, 16, 1, 1]) / 29
    area = tall * wide
    assert 0.28 < area.min() < 0.36 and 0.74 < area.max() < 0.82
    assert 0.74 < (wide / tall).min() < 0.8 and 1.25 < (wide / tall).max() < 1.35
    whole = varied(scale_crop=(1.0, 1.0)).values(ramp, RANGE)
    assert whole[:, :, :, 0].std(dim=0).max() > 0  # the aspect still varies


def test_light_and_contrast() -> None:
    images = torch.randn(len(INDEX), 6, 8, 3)
    brighter = varied(brightness=0.2).values(images, torch.tensor([1.0, 2.0, 4.0])) - images
    added = brighter[:, 0, 0]
    torch.testing.assert_close(brighter, added[:, None, None].expand_as(images), atol=1e-5, rtol=0)
    torch.testing.assert_close(added[:, 2], added[:, 0] * 4)
    assert -0.2 <= added[:, 0].min() < -0.19 and 0.19 < added[:, 0].max() <= 0.2
    stronger = varied(contrast=0.3).values(images, RANGE)
    torch.testing.assert_close(stronger.mean(dim=(1, 2, 3)), images.mean(dim=(1, 2, 3)))
    ratio = stronger.std(dim=(1, 2, 3)) / images.std(dim=(1, 2, 3))
    assert 0.7 <= ratio.min() < 0.72 and 1.28 < ratio.max() <= 1.3001


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"shift": -1}, r"shift must be 0 or more pixels, got -1: give 0 for none"),
        ({"erase": -2}, r"erase must be 0 or more pixels, got -2"),
        ({"brightness": 1.0}, r"brightness must lie between 0 and 1, got 1.0"),
        ({"contrast": -0.1}, r"contrast must lie between 0 and 1, got -0.1"),
        ({"scale_crop": (0.5, 0.2)}, r"scale_crop must be two shares of the area, .* got \(0.5, 0.2\): give"),
        ({"scale_crop": (0.0, 1.0)}, r"scale_crop must be two shares of the area"),
        ({"scale_crop": 0.5}, r"scale_crop must be tuple\[float, float\] \| None, got 0.5: give that"),
        ({"shift": 1.5}, r"shift must be int, got 1.5: give that"),
        ({"flip": 1}, r"flip must be bool, got 1: give that"),
    ],
)
def test_wrong_fields_are_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        Augmentation(**fields)


def data_of(side: int, channels: int, source: str = "mine", images: int = 4) -> Dataset:
    train = ImageSet.of_arrays("train", np.zeros((images, 2, 2, channels), np.uint8), np.arange(images) % 2)
    size = Preprocessing.for_size((side, side), channels)
    return Dataset(source, ("a", "b"), channels, (side, side), train, None, None, size, (), "")


def test_presets() -> None:
    assert preset(open_dataset()) == Augmentation(flip=True, shift=1, erase=8)
    digits = preset(data_of(28, 1))
    assert digits == Augmentation(shift=2, erase=4) and not digits.flip
    assert preset(data_of(32, 3)) == Augmentation(flip=True, shift=4, erase=8)
    photographs = preset(data_of(224, 3, images=1_000))
    assert photographs == Augmentation(flip=True, scale_crop=(0.35, 1.0), brightness=0.1, contrast=0.1)
    assert preset(data_of(224, 3, images=999)).brightness == 0.2
    for side in (2, 3, 8):  # a preset fits the smallest images too
        for channels in (1, 3):
            for source in ("mine", "fashion-x"):
                preset(data_of(side, channels, source)).check_fits((side, side))


def test_json() -> None:
    how = Augmentation(flip=True, scale_crop=(0.35, 1.0))
    record = json.loads(json.dumps(how.to_json()))
    assert record["scale_crop"] == [0.35, 1.0]
    assert Augmentation.from_json(record) == how
    assert Augmentation.from_json({"shift": 3}) == Augmentation(shift=3)
    with pytest.raises(ArgumentError, match=r"fields among flip, .*, got 'shfit': did you mean shift"):
        Augmentation.from_json({"shfit": 3})
    with pytest.raises(ArgumentError, match=r"shift must be int, got 'far': give that"):
        Augmentation.from_json({"shift": "far"})
