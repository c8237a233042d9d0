"""Which folders are classes, which are splits, and what is left out and said."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from striate.data.folder import images_in, read_tree
from striate.errors import DataError


def keys(root: Path, split: str) -> list[str]:
    return [file.key for file in read_tree(root).files(split)]


def grow(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_class_folders_without_a_split(tmp_path: Path) -> None:
    grow(tmp_path, "dog/1.JPG", "cat/b.png", "cat/a.webp", "cat/deeper/c.png")
    tree = read_tree(tmp_path)
    assert list(tree.splits) == ["all"]
    assert list(tree.splits["all"]) == ["cat", "dog"]
    assert keys(tmp_path, "all") == ["cat/a.webp", "cat/b.png", "cat/deeper/c.png", "dog/1.JPG"]
    assert {file.label for file in tree.files("all")} == {"cat", "dog"}
    assert tree.notes == ()


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [("train", "val", "test"), ("Training", "validation", "testing"), ("train", "valid", "TEST")],
)
def test_trees_are_recognised_by_the_names_of_their_folders(
    tmp_path: Path, train: str, val: str, test: str
) -> None:
    grow(tmp_path, f"{train}/a/1.png", f"{train}/b/1.png", f"{val}/a/2.png", f"{test}/b/3.png")
    tree = read_tree(tmp_path)
    assert {split: [f.key for f in tree.files(split)] for split in tree.splits} == {
        "train": [f"{train}/a/1.png", f"{train}/b/1.png"],
        "val": [f"{val}/a/2.png"],
        "test": [f"{test}/b/3.png"],
    }


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    grow(tmp_path, "train/1.png", "bus/1.png", "test/1.png")
    assert list(read_tree(tmp_path).splits["all"]) == ["bus", "test", "train"]


def test_hidden_things_and_other_files_are_left_out_and_said(tmp_path: Path) -> None:
    grow(
        tmp_path, ".ipynb_checkpoints/x.png", "a/1.png", "a/.hidden.png", "a/list.txt", "b/1.png", "readme.md"
    )
    tree = read_tree(tmp_path)
    assert list(tree.splits["all"]) == ["a", "b"]
    assert keys(tmp_path, "all") == ["a/1.png", "b/1.png"]
    (note,) = tree.notes
    for part in (".ipynb_checkpoints (hidden)", ".hidden.png (hidden)", "a/list.txt (no image by its name)"):
        assert part in note
    assert "readme.md (in no class folder)" in note


def test_what_lies_beside_the_splits_is_said_and_long_lists_are_cut(tmp_path: Path) -> None:
    grow(
        tmp_path,
        "train/a/1.png",
        "train/b/1.png",
        ".git/x",
        "extra/1.png",
        *(f"train/a/{n}.txt" for n in range(9)),
    )
    (note,) = read_tree(tmp_path).notes
    assert ".git (hidden)" in note and "extra (beside the splits)" in note
    assert note.endswith("and 6 more.")


def test_an_empty_class_folder_is_kept(tmp_path: Path) -> None:
    grow(tmp_path, "a/1.png")
    (tmp_path / "b").mkdir()
    assert read_tree(tmp_path).splits["all"]["b"] == ()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a name be any bytes")
def test_a_name_that_is_not_utf8_becomes_a_key_that_can_be_written(tmp_path: Path) -> None:
    grow(tmp_path, "b/1.png", "a/" + os.fsdecode(b"caf\xe9.png"))
    assert keys(tmp_path, "all") == ["a/caf\\xe9.png", "b/1.png"]


def test_images_to_predict_on_lie_anywhere_below(tmp_path: Path) -> None:
    grow(tmp_path, "b.png", "a/2.jpg", "a/.1.jpg", "list.txt")
    assert images_in(tmp_path) == [tmp_path / "a/2.jpg", tmp_path / "b.png"]


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere does not exist"):
        read_tree(tmp_path / "nowhere")
    grow(tmp_path, "flat/1.png", "flat/2.png", "halves/val/a/1.png", "twice/train/a/1.png")
    with pytest.raises(
        DataError, match=r"folder with one folder of images for each class, .*1\.png is a file"
    ):
        read_tree(tmp_path / "flat/1.png")
    with pytest.raises(
        DataError, match=r"flat has no class folders \(2 images lie in it directly\): put the"
    ):
        read_tree(tmp_path / "flat")
    with pytest.raises(DataError, match=r"halves has val/ but no train/: add the folder train/"):
        read_tree(tmp_path / "halves")
    grow(tmp_path, "twice/val/a/1.png", "twice/valid/a/1.png")
    with pytest.raises(
        DataError, match=r"twice has both val/ and valid/ for the split val: keep one of them"
    ):
        read_tree(tmp_path / "twice")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows: links need rights, pipes are no files")
def test_links_in_a_circle_end_and_pipes_are_not_read(tmp_path: Path) -> None:
    grow(tmp_path, "a/1.png", "b/1.png", "c/deeper/1.png")
    (tmp_path / "a/up").symlink_to(tmp_path / "a")
    (tmp_path / "c/deeper/up").symlink_to(tmp_path / "c")
    (tmp_path / "self").symlink_to(tmp_path)
    (tmp_path / "linked").symlink_to(tmp_path / "b")
    os.mkfifo(tmp_path / "b/pipe.png")
    assert keys(tmp_path, "all") == ["a/1.png", "b/1.png", "c/deeper/1.png", "linked/1.png"]
    (note,) = read_tree(tmp_path).notes
    for name in ("self", "a/up", "c/deeper/up"):
        assert f"{name} (a link to a folder that holds it)" in note
    assert "b/pipe.png (no regular file)" in note


@pytest.mark.skipif(sys.platform == "win32", reason="Windows: names have no control characters")
def test_control_characters_of_a_name_do_not_reach_the_screen(tmp_path: Path) -> None:
    grow(tmp_path, "a/1.png", "b\x1b[31m\n/1.png")
    assert list(read_tree(tmp_path).splits["all"]) == ["a", "b\\x1b[31m\\n"]
