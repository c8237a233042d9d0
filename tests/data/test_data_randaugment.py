"""Each operation of RandAugment against Pillow's, which is where they come from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from striate.data import randaugment as room
from striate.data.augment import Augmentation
from striate.data.variation import Varied

ONE, ZERO = torch.ones(3), torch.zeros(3)


def pictures() -> tuple[torch.Tensor, list[Image.Image]]:
    random = np.random.default_rng(0)
    rough = random.integers(30, 200, (6, 5, 5, 3), dtype=np.uint8)
    images = [Image.fromarray(one).resize((24, 24), Image.Resampling.BICUBIC) for one in rough]
    return torch.from_numpy(np.stack([np.asarray(image) for image in images])).float(), images


@pytest.mark.parametrize(
    ("operation", "amount", "pillow"),
    [
        ("brightness", 0.5, lambda i: ImageEnhance.Brightness(i).enhance(1.45)),
        ("colour", -0.5, lambda i: ImageEnhance.Color(i).enhance(0.55)),
        ("contrast", 0.3, lambda i: ImageEnhance.Contrast(i).enhance(1.27)),
        ("sharpness", 0.3, lambda i: ImageEnhance.Sharpness(i).enhance(1.27)),
        ("posterize", 0.75, lambda i: ImageOps.posterize(i, 5)),
        ("solarize", -0.4, lambda i: ImageOps.solarize(i, 153)),
        ("autocontrast", 1.0, ImageOps.autocontrast),
        ("equalize", 1.0, ImageOps.equalize),
    ],
)
def test_colours_are_those_of_pillow(operation, amount, pillow) -> None:
    values, images = pictures()
    done = getattr(room, f"_{operation}")(values, torch.full((6,), amount), ZERO).round().clamp(0, 255)
    wanted = np.stack([np.asarray(pillow(image)) for image in images])
    assert np.abs(done.numpy() - wanted.astype(float)).max() <= 2


@pytest.mark.parametrize(
    ("operation", "matrix"),
    [
        ("shear_x", lambda a: (1, 0.3 * a, -0.3 * a * 12, 0, 1, 0)),
        ("shear_y", lambda a: (1, 0, 0, 0.3 * a, 1, -0.3 * a * 12)),
        ("translate_x", lambda a: (1, 0, 0.45 * 24 * a, 0, 1, 0)),
        ("translate_y", lambda a: (1, 0, 0, 0, 1, 0.45 * 24 * a)),
    ],
)
def test_shapes_are_those_of_pillow(operation, matrix) -> None:
    values, images = pictures()
    amount = 0.5
    done = getattr(room, f"_{operation}")(values, torch.full((6,), amount), ZERO)
    how = matrix(amount)
    bilinear, affine = Image.Resampling.BILINEAR, Image.Transform.AFFINE
    wanted = np.stack([np.asarray(i.transform((24, 24), affine, how, bilinear)) for i in images])
    assert np.median(np.abs(done.numpy() - wanted.astype(float))) < 1  # the borders differ


def test_rotation_keeps_the_middle_and_brings_the_fill_in() -> None:
    values, images = pictures()
    done = room._rotate(values, torch.ones(6), torch.tensor([1.0, 2.0, 3.0]))
    wanted = np.stack([np.asarray(i.rotate(30, Image.Resampling.BILINEAR)) for i in images]).astype(float)
    assert np.abs(done.numpy() - wanted)[:, 6:-6, 6:-6].mean() < 3
    torch.testing.assert_close(done[:, 0, 0], torch.tensor([1.0, 2.0, 3.0]).expand(6, 3))


def test_all_operations_are_drawn_and_a_sample_does_not_depend_on_its_batch() -> None:
    images = torch.randint(0, 256, (200, 16, 16, 3), dtype=torch.uint8)
    how = Augmentation(rand_augment=(2, 9))
    whole = Varied(how, 1, 2, np.arange(200)).look(images, ONE, ZERO)
    assert whole.min() >= 0 and whole.max() <= 255
    some = np.array([3, 77, 150])
    alone = Varied(how, 1, 2, some).look(images[some], ONE, ZERO)
    torch.testing.assert_close(alone, whole[some], atol=1e-3, rtol=0)
    changed = (whole != images.float()).any(dim=(1, 2, 3))
    assert 150 < int(changed.sum()) < 200  # some do nothing to noise
    grey = torch.randint(0, 256, (200, 16, 16, 1), dtype=torch.uint8)
    assert Varied(how, 1, 2, np.arange(200)).look(grey, ONE[:1], ZERO[:1]).shape == grey.shape
