"""What a check finds, each with the files concerned."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from striate.data.check import check_dataset
from striate.data.findings import DataReport, Finding
from striate.errors import DataError

Draw = Callable[..., Path]


def found(report: DataReport, rule: str) -> Finding:
    (finding,) = [finding for finding in report.findings if finding.rule == rule]
    return finding


def test_nothing_is_found_where_nothing_is_wrong(pets: Path) -> None:
    report = check_dataset(pets)
    assert report.ok and report.findings == ()
    assert report.counts == {"all": {"cat": 20, "dog": 20}}
    assert report.text() == f"{pets}: all 40 images in 2 classes\nNothing was found."


def test_the_embedded_set_is_clean() -> None:
    report = check_dataset()
    assert report.findings == ()
    assert report.counts["train"]["Bag"] == 1_000 and report.counts["test"]["Bag"] == 200


def test_unreadable_files_are_found_by_decoding_all_of_them(pets: Path, draw: Draw) -> None:
    path = draw("pets/cat/half.jpg", size=(40, 40))
    path.write_bytes(path.read_bytes()[:-600])
    report = check_dataset(pets)
    finding = found(report, "unreadable")
    assert (finding.severity, finding.files) == ("error", ("cat/half.jpg",))
    assert "cut short" in finding.message
    assert not report.ok


def test_classes_that_are_empty_unknown_or_missing(pets: Path, draw: Draw, tmp_path: Path) -> None:
    shutil.move(pets, tmp_path / "tree/train")
    (tmp_path / "tree/train/bird").mkdir()
    draw("tree/val/cat/99.png")
    draw("tree/val/Dog/99.png")
    report = check_dataset(tmp_path / "tree")
    empty = found(report, "empty-class")
    assert empty.message == "The class 'bird' has no images to train on: add images, or remove it."
    unknown = found(report, "unknown-class")
    assert unknown.files == ("val/Dog/99.png",)
    assert "val has the class 'Dog', which train lacks" in unknown.message
    missing = [finding.message for finding in report.findings if finding.rule == "missing-class"]
    assert missing == ["val has no images of the class 'bird'.", "val has no images of the class 'dog'."]
    assert [f.severity for f in report.findings] == ["error", "error", "warning", "warning"]
    assert not report.ok


def test_one_class(pets: Path) -> None:
    shutil.rmtree(pets / "dog")
    assert found(check_dataset(pets), "one-class").severity == "error"


def test_copies_across_splits_within_one_and_under_two_labels(draw: Draw, tmp_path: Path) -> None:
    for name in ("train/a/1", "train/b/1", "train/a/2", "train/b/2", "test/a/3", "test/b/3"):
        draw(f"copies/{name}.png")
    for old, new in (("train/a/1", "test/a/x"), ("train/b/2", "train/b/y"), ("train/a/2", "train/b/z")):
        shutil.copy(tmp_path / f"copies/{old}.png", tmp_path / f"copies/{new}.png")
    report = check_dataset(tmp_path / "copies")
    assert found(report, "duplicates-across-splits").files == ("train/a/1.png = test/a/x.png",)
    assert found(report, "conflicting-labels").files == ("train/a/2.png = train/b/z.png",)
    assert found(report, "duplicates-within-a-split").files == (
        "train/a/2.png = train/b/z.png",
        "train/b/2.png = train/b/y.png",
    )
    assert report.ok  # misleading, but nothing that training would refuse


def test_imbalance_and_few_images(pets: Path) -> None:
    for number in range(2, 20):
        (pets / f"dog/{number:02d}.png").unlink()
    report = check_dataset(pets)
    assert "'cat' has 20 images, 'dog' only 2" in found(report, "imbalance").message
    assert "1 classes have fewer than 10 images to train on: dog" in found(report, "few-images").message


def test_odd_sizes_and_grey_pictures(pets: Path, draw: Draw) -> None:
    draw("pets/cat/strip.png", size=(12, 50))
    draw("pets/dog/stamp.png", size=(2, 2), mode="L")
    report = check_dataset(pets)
    assert found(report, "long-images").files == ("cat/strip.png (12x50)",)
    assert found(report, "small-images").files == ("dog/stamp.png (2x2)",)
    assert found(report, "grey-among-colour").message.startswith("1 images are grey, 41 are in colour")


def test_the_text_cuts_long_lists_and_json_does_not(pets: Path) -> None:
    for number in range(10, 18):
        shutil.copy(pets / "cat/00.png", pets / f"cat/{number}.png")
        shutil.copy(pets / f"dog/0{number - 10}.png", pets / f"dog/{number}.png")
    (pets / ".DS_Store").touch()
    report = check_dataset(pets)
    lines = report.text().splitlines()
    assert lines[0].endswith("all 40 images in 2 classes")
    assert "note: Left out: pets/.DS_Store (hidden)." in lines
    assert "    and 4 more" in lines
    record = json.loads(json.dumps(report.to_json()))
    assert record["ok"] is True and [len(f["files"]) for f in record["findings"]] == [0, 9]


def test_where_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not exist"):
        check_dataset(tmp_path / "gone")


def test_many_findings_of_a_kind_are_counted_and_no_name_stands_twice(pets: Path) -> None:
    for number in range(7):
        (pets / f"cat/text{number}.jpg").write_text(f"no image {number}")
    report = check_dataset(pets)
    assert report.text().count("cat/text0.jpg") == 1
    assert report.text().count("holds no image of a known format") == 5
    assert "... and 2 more of the kind unreadable; --json lists them all." in report.text()
    assert len(report.findings) == 7
