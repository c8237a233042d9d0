"""A source becomes a data set, or one clear sentence."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data.catalogue import open_dataset, open_split
from striate.data.preprocess import Preprocessing
from striate.data.size import refuse_if_too_large
from striate.errors import ArgumentError, DataError

Draw = Callable[..., Path]


def test_a_folder_of_class_folders(pets: Path) -> None:
    seen: list[tuple[int, int]] = []
    data = open_dataset(pets, on_progress=lambda done, total: seen.append((done, total)))
    assert data.classes == ("cat", "dog")
    assert (data.channels, data.image_size, data.kind) == (3, (12, 12), "colour-small")
    assert data.val is not None and data.test is None
    assert len(data.train) + len(data.val) == 40 and 2 <= len(data.val) <= 16
    assert set(data.train.keys).isdisjoint(data.val.keys)
    assert seen == [(n, 40) for n in range(1, 41)]
    key = data.train.keys[0]
    assert key.startswith("cat/") and data.train.labels[0] == 0
    np.testing.assert_array_equal(data.train.images[0], np.asarray(Image.open(pets / key)))
    assert any("used at 12x12" in note for note in data.notes)
    assert any("20% of each class" in note and "held out" in note for note in data.notes)


def test_shares_that_chance_made_uneven_are_said(pets: Path, draw: Draw) -> None:
    """By its content an image falls on one side; of few images that may be far from the share."""

    def held(path: Path) -> bool:
        return int(hashlib.sha256(path.read_bytes()).hexdigest()[:16], 16) / 2**64 < 0.2

    def note() -> str:
        return next(note for note in open_dataset(pets).notes if note.startswith("No val split"))

    for label, wanted in (("cat", 6), ("dog", 4)):  # of 20 each, of which 4 were meant
        left = {True: wanted, False: 20 - wanted}
        for path in (pets / label).iterdir():
            path.unlink()
        for number in range(100):
            path = draw(f"pets/{label}/{number}.png")
            side = held(path)
            left[side] -= 1
            if left[side] < 0:
                path.unlink()
    assert "10 training images (some 20% of each class" in note()
    assert "By chance that is 6 of 20 in 'cat'. Folds (--folds 5)" in note()
    for path in [path for path in (pets / "cat").iterdir() if held(path)][:2]:
        path.unlink()
    assert note().endswith("are held out.")


def test_a_tree_with_its_own_splits(draw: Draw, tmp_path: Path) -> None:
    for split, count in (("train", 5), ("val", 2), ("test", 3)):
        for label in "ab":
            for number in range(count):
                draw(f"tree/{split}/{label}/{number}.png", mode="L")
    data = open_dataset(tmp_path / "tree")
    assert {name: len(images) for name, images in data.splits.items()} == {"train": 10, "val": 4, "test": 6}
    assert (data.channels, data.kind) == (1, "grey-small")
    assert not any("held out" in note for note in data.notes)
    record = json.loads(json.dumps(data.to_json()))
    assert record["splits"]["test"] == {"images": 6, "per_class": [3, 3]}
    assert Preprocessing.from_json(record["preprocessing"]) == data.preprocessing
    with pytest.raises(
        ArgumentError, match=r"val_fraction is for data without a val split, .* has one: leave"
    ):
        open_dataset(tmp_path / "tree", val_fraction=0.3)
    test, name = open_split(tmp_path / "tree", classes=("b", "a"), image_size=(12, 12), channels=1)
    assert len(test) == 6 and name == "test"
    val, _ = open_split(tmp_path / "tree", classes=("b", "a"), image_size=(12, 12), channels=1, split="val")
    assert val.keys[0] == "val/a/0.png" and val.labels[0] == 1
    shutil.rmtree(tmp_path / "tree/val")
    with pytest.raises(
        DataError, match=r"split must be one of train, test for .*, got 'val': give one of them"
    ):
        open_split(tmp_path / "tree", classes=("a", "b"), image_size=(12, 12), channels=1, split="val")


def test_the_embedded_set_is_the_default() -> None:
    data = open_dataset()
    assert data.source == "fashion-mini"
    assert len(data.train) + len(data.val or ()) == 10_000
    assert data.test is not None and data.test.per_class(10) == [200] * 10
    assert data.test.keys[7] == "test/00007"
    digests = [digest for images in data.splits.values() for digest in images.digests]
    assert len(set(digests)) == 12_000  # no image twice, in no split
    pixels = data.train.images / 255
    assert data.preprocessing.mean == pytest.approx([pixels.mean()], abs=1e-6)
    assert data.preprocessing.std == pytest.approx([pixels.std()], abs=1e-6)
    wider, _ = open_split("fashion-mini", classes=data.classes, image_size=(32, 32), channels=3, split="test")
    assert wider.images.shape == (2000, 32, 32, 3)


def test_opening_twice_gives_the_same_and_other_data_another_fingerprint(pets: Path, draw: Draw) -> None:
    first = open_dataset(pets)
    assert open_dataset(pets).fingerprint == first.fingerprint
    assert open_dataset(pets, image_size=(8, 8)).fingerprint != first.fingerprint
    assert open_dataset(pets, classes=("dog", "cat")).fingerprint != first.fingerprint
    draw("pets/cat/00.png", seed=5)
    assert open_dataset(pets).fingerprint != first.fingerprint


def test_photographs_get_a_size_that_they_can_fill(draw: Draw, tmp_path: Path) -> None:
    for label in "ab":
        for number in range(4):
            draw(f"photos/{label}/{number}.jpg", size=(150, 100 + number))
    data = open_dataset(tmp_path / "photos")
    assert (data.image_size, data.kind) == ((96, 96), "photographs")
    assert data.preprocessing.resize == "shorter_side_center_crop"
    assert any("scaled to 96x96" in note and "--image-size" in note for note in data.notes)


def test_no_such_path(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"DATA must be a folder of images, .* or a named set; .*gone does not exist"
    ):
        open_dataset(tmp_path / "gone")
    with pytest.raises(DataError, match=r"fashion-mnits does not exist: did you mean fashion-mnist"):
        open_dataset("fashion-mnits")


def test_a_file_where_a_folder_is_expected(pets: Path) -> None:
    with pytest.raises(
        DataError, match=r"00\.png is one image: name the folder that holds the class folders"
    ):
        open_dataset(pets / "cat/00.png")


def test_one_class(pets: Path) -> None:
    shutil.rmtree(pets / "dog")
    with pytest.raises(DataError, match=r"pets has one class \(cat\), a classifier needs at least two"):
        open_dataset(pets)


def test_an_empty_class(pets: Path) -> None:
    (pets / "bird").mkdir()
    with pytest.raises(DataError, match=r"The class 'bird' in .*pets has no usable images: add images, or"):
        open_dataset(pets)


def test_a_class_that_train_lacks(draw: Draw, tmp_path: Path) -> None:
    for name in ("train/cat/1", "train/dog/1", "val/cat/2", "val/cow/2"):
        draw(f"farm/{name}.png")
    with pytest.raises(
        DataError, match=r"val has the class 'cow', which train lacks \(train has cat, dog\): add"
    ):
        open_dataset(tmp_path / "farm")


def test_all_images_unreadable(pets: Path) -> None:
    for path in pets.rglob("*.png"):
        path.write_text("no picture")
    with pytest.raises(
        DataError, match=r"None of the 40 images in .*pets can be read\. The first: cat/00\.png"
    ):
        open_dataset(pets, skip_bad=True)


def test_one_truncated_jpeg_among_many(pets: Path, draw: Draw) -> None:
    path = draw("pets/cat/half.jpg", size=(40, 40))
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(
        DataError, match=r"1 of 41 images in .* cannot be used: cat/half\.jpg is cut short .* with --skip-bad"
    ):
        open_dataset(pets)
    data = open_dataset(pets, skip_bad=True)
    assert sum(len(images) for images in data.splits.values()) == 40
    assert "cat/half.jpg" not in (*data.train.keys, *(data.val.keys if data.val else ()))
    assert any(note.startswith("Skipped: cat/half.jpg is cut short") for note in data.notes)
    with pytest.raises(DataError, match=r"cat/half\.jpg is cut short"):
        open_split(pets, classes=("cat", "dog"), image_size=(12, 12), channels=3)
    rest, name = open_split(pets, classes=("cat", "dog"), image_size=(12, 12), channels=3, skip_bad=True)
    assert len(rest) == 40 and name == "all"


@pytest.mark.parametrize("end", ["png", "jpg", "gif", "webp", "tif", "bmp"])
def test_a_file_cut_anywhere_is_a_sentence_that_names_it(tmp_path: Path, draw: Draw, end: str) -> None:
    for name in ("cat/0", "cat/1", "dog/0", "dog/1"):
        draw(f"pets/{name}.png")
    path = draw(f"pets/cat/cut.{end}", size=(40, 40))
    whole = path.read_bytes()
    for length in (*range(0, 120, 7), *range(120, len(whole) * 9 // 10, max(1, len(whole) // 20))):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=rf"1 of 5 images in .*cannot be used: cat/cut\.{end} "):
            open_dataset(tmp_path / "pets")


def test_no_name_is_not_the_folder_that_one_stands_in() -> None:
    with pytest.raises(DataError, match=r"DATA must be a folder of images, .* or a named set, got nothing"):
        open_dataset("")


def test_a_text_called_jpg_and_a_single_pixel(pets: Path, draw: Draw) -> None:
    (pets / "cat/list.jpg").write_text("cat, dog")
    draw("pets/dog/dot.png", size=(1, 1))
    with pytest.raises(DataError, match=r"2 of 42 .*list\.jpg holds no image.*dot\.png has 1 x 1 pixels"):
        open_dataset(pets)


def test_a_class_whose_images_were_all_skipped(pets: Path) -> None:
    for path in (pets / "dog").iterdir():
        path.write_text("no picture")
    with pytest.raises(DataError, match=r"The class 'dog' in .*pets has no usable images"):
        open_dataset(pets, skip_bad=True)


def test_nothing_to_hold_out(draw: Draw, tmp_path: Path) -> None:
    draw("two/a/1.png")
    draw("two/b/1.png")
    with pytest.raises(
        DataError, match=r"No validation images can be held out: every class has only one image"
    ):
        open_dataset(tmp_path / "two")


def test_other_classes_than_asked_for(pets: Path) -> None:
    with pytest.raises(
        DataError, match=r"has the classes cat, dog, but cat, cow are asked for: use the data"
    ):
        open_dataset(pets, classes=("cat", "cow"))
    with pytest.raises(
        DataError, match=r"class 'dog', which the network was not trained on \(it knows cat, cow\)"
    ):
        open_split(pets, classes=("cat", "cow"), image_size=(8, 8), channels=3)
    with pytest.raises(DataError, match=r"fashion-mini has the classes T-shirt/top, .*, not cat, dog"):
        open_split("fashion-mini", classes=("cat", "dog"), image_size=(28, 28), channels=1)


def test_more_images_than_memory_holds() -> None:
    photographs = Preprocessing.for_size((224, 224), 3)
    refuse_if_too_large(1_000, photographs, limit=2**30)
    with pytest.raises(
        DataError,
        match=r"8,000 images of 224x224 need 1\.1 GiB of memory, .* for example --image-size 144, or",
    ):
        refuse_if_too_large(8_000, photographs, limit=2**30)
    refuse_if_too_large(8_000, Preprocessing.for_size((144, 144), 3), limit=2**30)


def test_weights_say_how_images_are_prepared(pets: Path) -> None:
    """The answer is used as it is: channels, size, mean and deviation."""
    heard = []

    def prepare(usual: Preprocessing) -> Preprocessing:
        heard.append(usual)
        return Preprocessing(
            (16, 16), 3, resize="shorter_side_center_crop", crop=0.5, mean=(0.5,), std=(0.25,)
        )

    data = open_dataset(pets, prepare=prepare)
    assert [usual.image_size for usual in heard] == [(12, 12)]
    assert data.preprocessing.mean == (0.5,) * 3 and data.train.images.shape[1:] == (16, 16, 3)
    assert not any("12x12" in note for note in data.notes)
    assert open_dataset(pets, prepare=lambda usual: None).fingerprint == open_dataset(pets).fingerprint
