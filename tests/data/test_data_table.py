"""A CSV as a source: what it may look like, and every way in which it can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from striate.data.catalogue import open_dataset, open_split
from striate.data.table import read_table
from striate.errors import ArgumentError, DataError

Draw = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str | bytes, name: str = "list.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def labels(table: Path) -> dict[str, tuple[str, ...]]:
    listing = read_table(table)
    return {file.key: file.labels for files in listing.parts.values() for file in files}


@pytest.mark.parametrize(
    "text",
    [
        "path,label\na.png,cat\nb c/d.png,red panda\n",
        "\ufeffpath,label\r\na.png,cat\r\n\r\nb c/d.png,  red panda \r\n",  # a spreadsheet's
        "Label;Filename\ncat;a.png\nred panda;./b c/../b c/d.png\n",
        "image\tclass\textra\na.png\tcat\t1\nb c\\d.png\tred panda\t2\n",
        "a.png,cat\nb c/d.png,red panda\n",  # no first line
        '"path","label"\n"a.png","cat"\n"b c/d.png","red panda"\na.png,cat\n',  # one twice
    ],
)
def test_forms_that_mean_the_same(text: str, write: Callable[..., Path]) -> None:
    assert labels(write(text)) == {"a.png": ("cat",), "b c/d.png": ("red panda",)}


def test_quoted_commas_absolute_paths_and_splits(write: Callable[..., Path], tmp_path: Path) -> None:
    table = write(f'path,label,split\n"x, y.png","a, b",Train\n{tmp_path}/z.png,c,VALID\nw.png,c,test\n')
    listing = read_table(table)
    assert {split: [f.key for f in files] for split, files in listing.parts.items()} == {
        "train": ["x, y.png"],
        "val": ["z.png"],
        "test": ["w.png"],
    }
    assert listing.classes == {"train": ("a, b",), "val": ("c",), "test": ("c",)}
    assert listing.parts["val"][0].path == tmp_path / "z.png"


def test_several_labels_and_none(write: Callable[..., Path]) -> None:
    table = write("path,label\n1.png,cat|dog\n2.png,dog\n3.png,\n4.png, dog | cat |cat\n")
    listing = read_table(table)
    assert listing.task == "labels" and listing.classes["all"] == ("cat", "dog")
    assert labels(table) == {"1.png": ("cat", "dog"), "2.png": ("dog",), "3.png": (), "4.png": ("dog", "cat")}
    with pytest.raises(DataError, match=r"gives several labels to an image \(cat\|dog\): leave"):
        read_table(table, task="classes")
    assert read_table(write("path,label\n1.png,cat\n2.png,dog\n"), task="labels").task == "labels"


def test_numbers_are_put_in_order_as_numbers(write: Callable[..., Path]) -> None:
    table = write("path,label\n" + "".join(f"{n}.png,{n}\n" for n in (10, 9, 2)))
    assert read_table(table).classes["all"] == ("2", "9", "10")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"list\.csv is empty: write the columns path,label"),
        ("path,label\n", r"list\.csv lists no images: write one row for each"),
        ("foo,bar\n1,2\n", r"must name the columns path and label \(and split\), got 'foo', 'bar': rename"),
        ("path,file,label\na,b,c\n", r"has two columns for the path \(path, file, label\): rename one"),
        (
            "path,label\n../a.png,x\n",
            r"Line 2 names '\.\./a\.png', no file inside .*: --root names the folder",
        ),
        ("path,label\n/etc/passwd,x\n", r"Line 2 names '/etc/passwd', no file inside"),
        ("path,label\na/../../b.png,x\n", r"Line 2 names 'a/\.\./\.\./b\.png', no file inside"),
        ("path,label\n.,x\n", r"Line 2 names '\.', no file inside"),
        ("path,label\na.png,\nb.png,x\n", r"Line 2 gives a\.png no label"),
        ("path,label\na.png\n", r"Line 2 has 1 cells, the first line has 2: a text with commas needs quotes"),
        ("path,label\na,b.png,x\n", r"Line 2 has 3 cells, the first line has 2"),
        ("path,label,split\na.png,x,dev\n", r"Line 2 has the split 'dev', it must be train, val or test"),
        ("path,label,split\na.png,x,\n", r"Line 2 has the split '', it must be"),
        ("path,label,split\na.png,x,test\n", r"has no rows of the split train: add some"),
        (
            "path,label\na.png,x\n./a.png,y\n",
            r"lines 2 and 3: a\.png has the labels 'x' and 'y': keep one, or",
        ),
        ("path,label,split\na.png,x,train\na.png,x,val\n", r"a\.png is in train and in val: keep it in one"),
        ('path,label\n"a.png,x\n', r"line \d, is no CSV \(.*\): close its quotes"),
        (b"path,label\n\xff\xfe.png,x\n", r"is not UTF-8 \(byte 11\): save it as CSV UTF-8"),
        ("path,label\na\0.png,x\n", r"Line 2 names .*, no file inside|is no CSV"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    text: str | bytes, message: str, write: Callable[..., Path]
) -> None:
    with pytest.raises(DataError, match=message):
        read_table(write(text))


def test_many_wrong_rows_are_counted(write: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match=r"Line 6 gives 4\.png no label\. \.\.\. and 5 more"):
        read_table(write("path,label\n" + "".join(f"{n}.png,\n" for n in range(10)) + "x.png,y\n"))


def test_training_evaluating_and_the_same_split_as_the_folders(
    pets: Path, draw: Draw, tmp_path: Path
) -> None:
    """The content decides: a folder and a list of it hold out the same, and what is added moves nothing."""
    rows = [f"{path.relative_to(pets)},{path.parent.name}" for path in sorted(pets.rglob("*.png"))]
    table = pets / "list.csv"
    table.write_text("\n".join(["path,label", *reversed(rows)]))
    listed, folder = open_dataset(table), open_dataset(pets)
    assert listed.val is not None and folder.val is not None
    assert set(listed.val.keys) == set(folder.val.keys) and listed.classes == folder.classes
    draw("pets/cat/new.png")
    table.write_text("\n".join(["path,label", "cat/new.png,cat", *rows]))
    grown = open_dataset(table)
    assert grown.val is not None and set(folder.val.keys) <= set(grown.val.keys)
    elsewhere = tmp_path / "elsewhere/list.csv"
    elsewhere.parent.mkdir()
    elsewhere.write_text("\n".join(["path,label", *rows]))
    assert len(open_dataset(elsewhere, root=pets).train) + len(folder.val) == 40
    images, split = open_split(elsewhere, root=pets, classes=("dog", "cat"), image_size=(12, 12), channels=3)
    assert split == "all" and images.labels[0] == 1 and images.keys[0] == "cat/00.png"
    with pytest.raises(ArgumentError, match=r"--root must come with a CSV, got .*pets: leave it out"):
        open_dataset(pets, root=tmp_path)
    with pytest.raises(ArgumentError, match=r"--root must come with a CSV, got fashion-mini: leave it out"):
        open_dataset(root=tmp_path)


def test_files_that_are_missing_are_named_and_can_be_skipped(pets: Path) -> None:
    table = pets / "list.csv"
    rows = [f"{path.relative_to(pets)},{path.parent.name}" for path in sorted(pets.rglob("*.png"))]
    table.write_text("\n".join(["path,label", *rows, "cat/gone.png,cat"]))
    with pytest.raises(
        DataError, match=r"1 of 41 images in .*list\.csv cannot be used: cat/gone\.png cannot be"
    ):
        open_dataset(table)
    data = open_dataset(table, skip_bad=True)
    assert sum(len(images) for images in data.splits.values()) == 40


def test_labels_become_columns(pets: Path) -> None:
    table = pets / "list.csv"
    rows = [f"{path.relative_to(pets)},{path.parent.name}" for path in sorted(pets.rglob("*.png"))]
    rows[0] += "|small"
    rows[25] += "|small"
    rows[30] = rows[30].split(",")[0] + ","
    table.write_text("\n".join(["path,label", *rows]))
    data = open_dataset(table)
    assert data.task == "labels" and data.classes == ("cat", "dog", "small")
    every = np.concatenate([images.labels for images in data.splits.values()])
    assert every.shape == (40, 3) and every.sum(axis=0).tolist() == [20, 19, 2]
    assert data.val is not None and data.val.labels[:, 2].sum() == 1  # one on each side
    assert data.to_json()["splits"]["train"]["per_class"][2] == 1
    again = open_dataset(table, classes=("small", "dog", "cat"))
    assert again.classes[0] == "small" and again.train.labels[:, 0].sum() == 1
