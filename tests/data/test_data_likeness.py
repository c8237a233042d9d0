"""Nearly equal pictures are found whatever was done to the file, and different ones are not."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from skimage import data as skimage_data

from striate.data.catalogue import open_dataset
from striate.data.check import check_dataset
from striate.data.likeness import ALIKE, alike, hash_of, hashes_of
from striate.data.named import read_named

Draw = Callable[..., Path]


def cat() -> Image.Image:
    return Image.fromarray(skimage_data.chelsea())


def stored(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def differ(first: bytes, second: bytes) -> int:
    return sum(int(a ^ b).bit_count() for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    "change",
    [
        lambda i: stored(i, 20),
        lambda i: i.resize((i.width // 3, i.height // 3)),
        lambda i: i.resize((256, 256)),
        lambda i: ImageEnhance.Brightness(i).enhance(1.1),
        lambda i: i.convert("L").convert("RGB"),
        lambda i: stored(i.resize((180, 120)), 60),
    ],
)
def test_what_is_done_to_a_file_changes_few_bits(change: Callable[[Image.Image], Image.Image]) -> None:
    assert differ(hash_of(cat()), hash_of(change(cat()))) <= ALIKE // 2


def test_other_pictures_are_far_away_and_flat_ones_are_like_nothing() -> None:
    images, _ = read_named("fashion-mini")["train"]
    clothes = hashes_of(images[:3000])
    assert not list(alike(clothes[:1500], clothes[1500:]))
    flat = hashes_of(np.full((4, 20, 20, 1), 200, np.uint8))
    assert not flat.any() and not list(alike(flat, flat))


def test_files_and_arrays_have_the_same_hash() -> None:
    pixels = np.asarray(cat().resize((64, 64)))
    assert differ(hash_of(Image.fromarray(pixels)), hashes_of(pixels[None])[0].tobytes()) <= 4


def test_all_pairs_that_differ_little_are_found() -> None:
    random = np.random.default_rng(0)
    first = random.integers(0, 256, (400, 32), dtype=np.uint8)
    second = first[::-1].copy()
    for row, bits in enumerate(second):  # up to 12 bits turned, anywhere
        for place in random.choice(256, row % (ALIKE + 1), replace=False):
            bits[place // 8] ^= 1 << (place % 8)
    found = {(row, column): count for row, column, count in alike(first, second)}
    assert found == {(399 - row, row): row % (ALIKE + 1) for row in range(400)}


def test_twins_across_splits_are_reported_by_the_check_and_by_the_training(
    draw: Draw, tmp_path: Path
) -> None:
    root = tmp_path / "tree"
    for split, count in (("train", 4), ("val", 2)):
        for label in "ab":
            for number in range(count):
                draw(f"tree/{split}/{label}/{number}.png", size=(70, 70))
    cat().save(root / "train/a/cat.png")
    stored(cat().resize((200, 133)), 50).save(root / "val/a/small.jpg")
    (report,) = [f for f in check_dataset(root).findings if f.rule == "near-duplicates-across-splits"]
    assert report.files == ("train/a/cat.png ~ val/a/small.jpg",) and report.severity == "warning"
    data = open_dataset(root)
    (finding,) = [f for f in data.findings if f.rule == "near-duplicates-across-splits"]
    assert finding.files == report.files
    assert data.to_json()["findings"][0]["rule"]


def test_twins_in_a_folder_without_splits_are_a_note(pets: Path) -> None:
    cat().save(pets / "cat/big.png")
    cat().resize((220, 150)).save(pets / "cat/small.png")
    (note,) = [f for f in check_dataset(pets).findings if f.rule == "near-duplicates"]
    assert note.severity == "note" and note.files == ("cat/big.png ~ cat/small.png",)
