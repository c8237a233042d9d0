"""Each variation does what its name says, and the presets suit their kinds."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from striate.data.augment import Augmentation
from striate.data.catalogue import open_dataset
from striate.data.dataset import Dataset, ImageSet
from striate.data.preprocess import Preprocessing
from striate.data.presets import in_words, preset
from striate.data.variation import Varied
from striate.errors import ArgumentError

INDEX = np.arange(400)


def varied(**fields: Any) -> Varied:
    return Varied(Augmentation(**fields), seed=1, epoch=2, index=INDEX)


def look(images: torch.Tensor, **fields: Any) -> torch.Tensor:
    """Light and colour on values that stay as they are otherwise."""
    return varied(**fields).look(images, torch.ones(3), torch.zeros(3))


def numbered(height: int = 6, width: int = 8) -> torch.Tensor:
    """400 equal images whose every pixel has its own number."""
    image = torch.arange(height * width, dtype=torch.uint8).reshape(1, height, width, 1)
    return image.expand(len(INDEX), -1, -1, 3).contiguous()


def test_no_variation_changes_nothing() -> None:
    images = numbered()
    assert torch.equal(varied().shape(images, (6, 8)), images)
    values = look(images)
    assert torch.equal(values, images.float())
    assert torch.equal(varied().holes(values), values)


def test_half_of_the_images_are_mirrored() -> None:
    images = numbered()
    result = varied(flip=True).shape(images, (6, 8))
    mirrored = (result == images.flip(2)).all(dim=(1, 2, 3))
    kept = (result == images).all(dim=(1, 2, 3))
    assert (mirrored ^ kept).all()
    assert 150 < int(mirrored.sum()) < 250


@pytest.mark.parametrize("flip", [False, True])
def test_shifting_moves_by_every_amount_and_mirrors_the_border(flip: bool) -> None:
    images = numbered()
    result = varied(shift=2, flip=flip).shape(images, (6, 8))
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
    erased = varied(erase=3).holes(torch.ones(len(INDEX), 6, 8, 3)) == 0
    assert (erased.sum(dim=(1, 2, 3)) == 27).all()
    rows, columns = erased[..., 0].any(dim=2), erased[..., 0].any(dim=1)
    assert (rows.sum(1) == 3).all() and (columns.sum(1) == 3).all()
    corners = {(int(r.int().argmax()), int(c.int().argmax())) for r, c in zip(rows, columns, strict=True)}
    assert corners == {(top, left) for top in range(4) for left in range(6)}


def ramp(height: int = 64, width: int = 64) -> torch.Tensor:
    """400 images whose first value is the row and whose second is the column, times 3."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    image = (3 * torch.stack([rows, columns, rows], dim=-1)).to(torch.uint8)
    return image.expand(len(INDEX), -1, -1, -1).contiguous()


def extent(parts: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Height and width of the part of a ramp that each result shows, in source pixels."""
    values, side = parts.float().numpy() / 3, parts.shape[1]
    inner = side / (side - 8)  # away from the edges, where the antialiasing filter is cut off
    middle = side // 2
    tall = (values[:, -5, middle, 0] - values[:, 3, middle, 0]) * inner
    wide = (values[:, middle, -5, 1] - values[:, middle, 3, 1]) * inner
    return tall, wide


def test_a_part_lies_inside_and_has_its_share_of_the_area() -> None:
    part = varied(scale_crop=(0.3, 0.8)).shape(ramp(), (48, 48))
    assert part.shape == (400, 48, 48, 3) and part.dtype == torch.uint8
    tall, wide = extent(part)
    area = tall * wide / 64**2
    assert 0.25 < area.min() < 0.36 and 0.74 < area.max() < 0.85
    assert 0.7 < (wide / tall).min() < 0.82 and 1.22 < (wide / tall).max() < 1.4
    tops = part[:, 3, 24, 0]
    assert tops.min() < 12 and tops.max() > 60  # all over the image
    mirrored = varied(scale_crop=(0.3, 0.8), flip=True).shape(ramp(), (48, 48))
    turned = mirrored[:, 24, 3, 1] > mirrored[:, 24, -5, 1]
    assert 150 < int(turned.sum()) < 250
    torch.testing.assert_close(mirrored[turned].flip(2), part[turned])


def test_parts_of_a_whole_photograph_have_the_aspect_that_it_had() -> None:
    """An image of 2:1 is kept as a square: a square part of it covers half as much of its width."""
    aspects = np.full(len(INDEX), 2.0, np.float32)
    tall, wide = extent(varied().shape(ramp(), (48, 48), aspects))
    np.testing.assert_allclose([tall[0], wide[0]], [64, 32], atol=2)
    tall, wide = extent(varied(scale_crop=(0.2, 0.4)).shape(ramp(), (48, 48), aspects))
    assert (2 * wide / tall).min() > 0.7 and (2 * wide / tall).max() < 1.45
    tall, wide = extent(varied().shape(ramp(), (48, 48), aspects, middle=0.5))
    np.testing.assert_allclose([tall[0], wide[0]], [32, 16], atol=2)
    shifted = varied(shift=8).shape(ramp(), (48, 48), aspects)
    assert len(set(shifted[:, 24, 24, 1].tolist())) > 10  # there is room at the sides ...
    assert len(set(shifted[:, 24, 24, 0].tolist())) == 1  # ... and none above


def test_light_and_contrast() -> None:
    images = torch.randint(0, 256, (len(INDEX), 6, 8, 3), dtype=torch.uint8)
    values = images.float()
    added = look(images, brightness=0.2) - values
    torch.testing.assert_close(added, added[:, :1, :1].expand_as(values), atol=1e-3, rtol=0)
    assert -51 <= added[:, 0, 0].min() < -50 and 50 < added[:, 0, 0].max() <= 51
    stronger = look(images, contrast=0.3)
    torch.testing.assert_close(stronger.mean(dim=(1, 2, 3)), values.mean(dim=(1, 2, 3)))
    ratio = stronger.std(dim=(1, 2, 3)) / values.std(dim=(1, 2, 3))
    assert 0.7 <= ratio.min() < 0.72 and 1.28 < ratio.max() <= 1.3001
    scale, offset = torch.tensor([0.5, 1.0, 2.0]), torch.tensor([1.0, 0.0, -1.0])
    both = varied(brightness=0.2, contrast=0.3)
    plain = both.look(images, torch.ones(3), torch.zeros(3))
    torch.testing.assert_close(both.look(images, scale, offset), plain * scale + offset, atol=1e-3, rtol=1e-4)


def test_colour_turns_about_the_greys() -> None:
    grey = torch.randint(0, 256, (len(INDEX), 6, 8, 1), dtype=torch.uint8).expand(-1, -1, -1, 3)
    torch.testing.assert_close(look(grey, saturation=0.5, hue=0.1), grey.float(), atol=0.05, rtol=0)
    images = torch.randint(0, 256, (len(INDEX), 6, 8, 3), dtype=torch.uint8)
    luma = torch.tensor([0.299, 0.587, 0.114])
    turned = look(images, saturation=0.5, hue=0.2)
    torch.testing.assert_close(turned @ luma, images.float() @ luma, atol=0.1, rtol=0)
    faded = look(images, saturation=0.5)

    def distance(values: torch.Tensor) -> torch.Tensor:
        return (values - (values @ luma)[..., None]).flatten(1).norm(dim=1)

    shares = distance(faded) / distance(images.float())
    assert 0.5 <= shares.min() < 0.52 and 1.48 < shares.max() <= 1.5001


def test_holes_are_rectangles_of_2_to_33_percent() -> None:
    holes = varied(erasing=0.5).holes(torch.ones(len(INDEX), 40, 40, 3))[..., 0] == 0
    there = holes.any(dim=(1, 2))
    assert 150 < int(there.sum()) < 250
    area = holes[there].float().mean(dim=(1, 2))
    assert 0.015 < area.min() < 0.04 and 0.29 < area.max() < 0.35
    for hole in holes[there][:50]:
        rows, columns = hole.any(1), hole.any(0)
        assert int(hole.sum()) == int(rows.sum()) * int(columns.sum())


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
        ({"shift": True}, r"shift must be int, got True: give that"),
        ({"hue": 0.6}, r"hue must lie between 0 and 0.5, got 0.6"),
        ({"saturation": 1.0}, r"saturation must lie between 0 and 1, got 1.0"),
        ({"erasing": float("nan")}, r"erasing must lie between 0 and 1, got nan"),
        ({"mixup": -1.0}, r"mixup must lie between 0 and 10, got -1.0"),
        ({"cutmix": float("inf")}, r"cutmix must lie between 0 and 10, got inf"),
        ({"scale_crop": ("a", 1)}, r"scale_crop must be two shares of the area"),
        (
            {"rand_augment": (0, 9)},
            r"rand_augment must be two whole numbers, .* got \(0, 9\): give",
        ),
        ({"rand_augment": (2, 31)}, r"rand_augment must be two whole numbers"),
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
    assert preset(data_of(32, 3, images=200)) == Augmentation(flip=True, shift=4, erase=8)
    assert preset(data_of(32, 3, images=199)).brightness == 0.1
    some = preset(data_of(224, 3, images=200))
    assert some == Augmentation(flip=True, scale_crop=(0.35, 1.0), brightness=0.1, contrast=0.1)
    assert preset(data_of(224, 3, images=199)).brightness == 0.2
    many = preset(data_of(224, 3, images=2_001))
    assert many.mixes and many.rand_augment == (2, 9)
    assert (
        preset(data_of(224, 3, images=4), "many") == many and preset(open_dataset(), "none") == Augmentation()
    )
    with pytest.raises(
        ArgumentError, match=r"augment must be one of none, few, some, many, got 'mny': did you"
    ):
        preset(open_dataset(), "mny")
    for side in (2, 3, 8):  # a preset fits the smallest images too
        for channels in (1, 3):
            for source in ("mine", "fashion-x"):
                preset(data_of(side, channels, source)).check_fits((side, side))


def test_a_preset_in_words() -> None:
    assert in_words(Augmentation()) == "nothing"
    how = Augmentation(flip=True, erase=4, scale_crop=(0.35, 1.0), rand_augment=(2, 9))
    assert in_words(how) == "flip, erase=4, scale_crop=0.35,1.0, rand_augment=2,9"


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
