"""What is kept: facts about files, decoded images, and how both are bounded and got rid of."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from striate import api
from striate.data import cache as room
from striate.data import scan as looking
from striate.data import store as keeping
from striate.data.catalogue import open_dataset, open_split
from striate.data.check import check_dataset
from striate.data.frame import Frame
from striate.data.listing import ImageFile
from striate.data.pack import write_pack
from striate.data.preprocess import Preprocessing
from striate.errors import ArgumentError, DataError

Draw = Callable[..., Path]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and nothing is small enough to stay in memory."""
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(keeping, "SMALL", 0)
    return tmp_path / "cache"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the files that are decoded from now on."""
    keys: list[str] = []
    draw = Frame.draw_all

    def counted(frame: Frame, files: Sequence[ImageFile]) -> object:
        keys.extend(file.key for file in files)
        return draw(frame, files)

    monkeypatch.setattr(Frame, "draw_all", counted)
    return keys


def age(folder: Path) -> None:
    """A file that was written just now is not believed: it might change within the same tick."""
    for path in folder.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))


def photos(draw: Draw, count: int = 8) -> None:
    for label in "ab":
        for number in range(count):
            draw(f"photos/{label}/{number}.jpg", size=(90, 120 + number))


def test_images_are_decoded_once_and_the_same_from_the_pack(
    draw: Draw, tmp_path: Path, empty: Path, drawn: list[str]
) -> None:
    photos(draw)
    first = open_dataset(tmp_path / "photos", image_size=(80, 80))
    assert len(drawn) == 16 and any("kept in" in note for note in first.notes)
    again = open_dataset(tmp_path / "photos", image_size=(80, 80))
    assert len(drawn) == 16
    assert first.fingerprint == again.fingerprint and first.train.whole is not None
    assert first.train.whole.pixels.shape[1:] == (96, 96, 3) and again.train.whole is not None
    np.testing.assert_array_equal(first.train.whole.pixels[:], again.train.whole.pixels[:])
    shutil.rmtree(empty)
    os.environ["STRIATE_CACHE_LIMIT"] = "0"
    try:
        in_memory = open_dataset(tmp_path / "photos", image_size=(80, 80))
    finally:
        del os.environ["STRIATE_CACHE_LIMIT"]
    assert in_memory.train.whole is not None and not (empty / "packs").exists()
    np.testing.assert_array_equal(in_memory.train.whole.pixels[:], again.train.whole.pixels[:])
    assert in_memory.fingerprint == first.fingerprint


def test_what_is_added_is_decoded_and_the_rest_copied(
    draw: Draw, tmp_path: Path, empty: Path, drawn: list[str]
) -> None:
    photos(draw)
    open_dataset(tmp_path / "photos", image_size=(80, 80))
    drawn.clear()
    draw("photos/a/new.jpg", size=(90, 100))
    (tmp_path / "photos/b/0.jpg").rename(tmp_path / "photos/b/renamed.jpg")
    data = open_dataset(tmp_path / "photos", image_size=(80, 80))
    assert drawn == ["a/new.jpg"] and "b/renamed.jpg" in (*data.train.keys, *(data.val or data.train).keys)
    (tmp_path / "photos/a/new.jpg").unlink()
    drawn.clear()
    assert len(open_dataset(tmp_path / "photos", image_size=(80, 80)).splits) == 2 and drawn == []
    assert not list(empty.rglob("*.part"))


def test_a_bad_file_costs_no_second_decoding_of_the_others(
    draw: Draw, tmp_path: Path, empty: Path, drawn: list[str]
) -> None:
    photos(draw)
    path = draw("photos/a/half.jpg", size=(90, 120))
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(DataError, match=r"1 of 17 images in .* cannot be used: a/half\.jpg is cut short"):
        open_dataset(tmp_path / "photos", image_size=(80, 80))
    data = open_dataset(tmp_path / "photos", image_size=(80, 80), skip_bad=True)
    assert sum(map(len, data.splits.values())) == 16
    assert sum(key != "a/half.jpg" for key in drawn) <= 32  # the held-out ones may be drawn in both runs


def test_bad_files_leave_no_holes_and_each_content_keeps_its_pixels(
    draw: Draw, tmp_path: Path, empty: Path
) -> None:
    photos(draw)
    for number in (1, 2, 6):
        path = draw(f"photos/a/{number}.jpg", size=(90, 130 + number))
        path.write_bytes(path.read_bytes()[:-900])
    files = [ImageFile(path, path.name, ("a",)) for path in sorted((tmp_path / "photos").rglob("*.jpg"))]
    frame = Frame(Preprocessing.for_size((80, 80), 3), whole=True)
    named = {hashlib.sha256(file.read()).hexdigest(): file for file in files}
    pack, problems = write_pack("somewhere", frame, named)
    assert pack is not None and len(problems) == 3 and len(pack.rows) == len(pack.frames) == 13
    for digest, row in pack.rows.items():
        np.testing.assert_array_equal(pack.frames[row], frame.draw(named[digest]))
    bad = {digest: named[digest] for digest in problems}
    assert write_pack("elsewhere", frame, bad) == (None, problems)


def test_slow_files_are_looked_at_by_threads(
    draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos(draw)
    files = [ImageFile(path, path.name, ("a",)) for path in sorted((tmp_path / "photos").rglob("*.jpg"))]
    told: list[tuple[int, int]] = []
    seen = []
    for quick in (0.0, 1e9):
        monkeypatch.setattr(looking, "_QUICK", quick)
        seen.append(looking.scan(files, on_progress=lambda *done: told.append(done)))
    assert seen[0] == seen[1] and told == [(number, 16) for number in range(1, 17)] * 2


def test_damaged_and_unfinished_packs_are_not_used(
    draw: Draw, tmp_path: Path, empty: Path, drawn: list[str]
) -> None:
    photos(draw)
    whole = open_dataset(tmp_path / "photos", image_size=(80, 80))
    for name, damage in (
        ("frames.u8", lambda c: c[:-1]),
        ("pack.json", lambda c: c[:9]),
        ("digests.npy", lambda c: b"x" + c[1:]),
        ("likeness.npy", lambda c: b""),
    ):
        for path in empty.rglob(name):
            path.write_bytes(damage(path.read_bytes()))
        drawn.clear()
        data = open_dataset(tmp_path / "photos", image_size=(80, 80))
        assert len(drawn) == 16 and data.fingerprint == whole.fingerprint


def test_of_two_processes_one_decodes_and_the_other_finds_it(draw: Draw, tmp_path: Path, empty: Path) -> None:
    photos(draw)
    code = (
        "import os, sys; from pathlib import Path\n"
        "from striate.data import store, frame; from striate.data.catalogue import open_dataset\n"
        "store.SMALL, draw = 0, frame.Frame.draw_all\n"
        "def counted(self, files):\n"
        "    for file in files:\n"
        "        Path(sys.argv[2], f'{os.getpid()}-{file.key}'.replace('/', '_')).touch()\n"
        "    return draw(self, files)\n"
        "frame.Frame.draw_all = counted\n"
        "print(open_dataset(sys.argv[1], image_size=(60, 60)).fingerprint)"
    )
    (tmp_path / "drawn").mkdir()
    words = [sys.executable, "-c", code, str(tmp_path / "photos"), str(tmp_path / "drawn")]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert len({one.communicate(timeout=120)[0] for one in both}) == 1
    assert [one.returncode for one in both] == [0, 0]
    assert len(list((tmp_path / "drawn").iterdir())) == 16


def test_a_full_disk_is_no_failure(
    draw: Draw, tmp_path: Path, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos(draw)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("striate.data.pack._finish", full)
    data = open_dataset(tmp_path / "photos", image_size=(80, 80))
    assert sum(map(len, data.splits.values())) == 16 and not list(empty.glob("packs/*"))


def test_without_room_anywhere_images_are_decoded_anew(
    draw: Draw, tmp_path: Path, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos(draw)
    kept = open_dataset(tmp_path / "photos", image_size=(80, 80))
    monkeypatch.setenv("STRIATE_CACHE_LIMIT", "0")
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr(keeping, "memory", lambda: 1000)
    data = open_dataset(tmp_path / "photos", image_size=(80, 80))
    assert any("decoded anew in every epoch" in note for note in data.notes)
    drawn: list[str] = []
    read = ImageFile.read
    monkeypatch.setattr(ImageFile, "read", lambda file: drawn.append(file.key) or read(file))
    assert data.train.whole is not None and kept.train.whole is not None
    np.testing.assert_array_equal(data.train.whole.pixels[[2, 0]], kept.train.whole.pixels[[2, 0]])
    assert drawn == [data.train.keys[2], data.train.keys[0]]
    np.testing.assert_array_equal(data.train.whole.pixels[1], kept.train.whole.pixels[1])


def test_fitted_pixels_of_whole_photographs_are_those_of_evaluation(
    draw: Draw, tmp_path: Path, empty: Path
) -> None:
    photos(draw)
    data = open_dataset(tmp_path / "photos", image_size=(80, 80))
    fitted, _ = open_split(tmp_path / "photos", classes=("a", "b"), image_size=(80, 80), channels=3)
    rows = [fitted.keys.index(key) for key in data.train.keys]
    np.testing.assert_array_equal(data.train.images[:], fitted.images[rows])
    half = data.train.subset(np.arange(3))
    assert half.whole is not None and half.whole.pixels.shape[0] == 3
    np.testing.assert_array_equal(half.images[1], data.train.images[1])


def test_a_second_check_decodes_nothing_and_a_changed_file_is_looked_at(
    pets: Path, draw: Draw, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    look = looking._look
    monkeypatch.setattr(looking, "_look", lambda file, deep: (seen.append(file.key), look(file, deep))[1])
    monkeypatch.setattr("striate.data.facts._TOO_NEW", -1e9)
    first = check_dataset(pets)
    assert len(seen) == 40
    assert check_dataset(pets).to_json() == first.to_json() and len(seen) == 40
    draw("pets/cat/05.png", seed=5)
    check_dataset(pets)
    assert seen[40:] == ["cat/05.png"]
    for path in empty.rglob("*.json"):
        path.write_text("{")
    assert check_dataset(pets).to_json()["ok"] and len(seen) == 81


def test_a_file_of_this_moment_is_not_remembered(pets: Path, empty: Path) -> None:
    check_dataset(pets)
    assert not list(empty.rglob("facts/*.json"))
    age(pets)
    time.sleep(0)  # its change time is still of this moment, and counts too
    check_dataset(pets)
    assert not list(empty.rglob("facts/*.json"))


def test_the_limit_and_what_goes_first(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        path = empty / f"packs/p{number}/frames.u8"
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(1000))
        os.utime(path, (1000 + number, 1000 + number))
    monkeypatch.setenv("STRIATE_CACHE_LIMIT", "3k")
    assert room.limit() == 3072
    assert room.make_room(1500) and sorted(p.name for p in (empty / "packs").iterdir()) == ["p2"]
    assert not room.make_room(4000) and room.entries()[0].path.name == "p2"  # nothing is removed in vain
    assert not room.make_room(2500, keep=empty / "packs/p2")
    for text in ("", "many", "-1", "5 apples"):
        monkeypatch.setenv("STRIATE_CACHE_LIMIT", text)
        with pytest.raises(ArgumentError, match=r"STRIATE_CACHE_LIMIT must be a number of bytes, got"):
            room.limit()
    for text, size in (("20G", 20 * 2**30), ("1.5 MiB", 1572864), ("0", 0)):
        monkeypatch.setenv("STRIATE_CACHE_LIMIT", text)
        assert room.limit() == size
    monkeypatch.delenv("STRIATE_CACHE_LIMIT")
    assert room.limit() > 0


def test_the_cache_is_listed_and_cleared_and_nothing_else_goes(
    draw: Draw, tmp_path: Path, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("striate.data.facts._TOO_NEW", -1e9)
    photos(draw)
    open_dataset(tmp_path / "photos", image_size=(80, 80))
    (empty / "mine.txt").write_text("keep me")
    found = api.cache()
    assert {entry.what for entry in found.entries} == {"decoded images", "what files are"}
    assert {entry.source for entry in found.entries} == {str(tmp_path / "photos")}
    assert found.bytes > 16 * 80 * 80 * 3 and json.dumps(found.to_json())
    assert api.cache(clear=True).cleared and api.cache().entries == ()
    assert (empty / "mine.txt").read_text() == "keep me"


def test_a_frame_is_a_little_larger_than_the_network_sees() -> None:
    for side, kept in ((224, 256), (96, 128), (288, 352), (65, 96)):
        assert Frame(Preprocessing.for_size((side, side), 3), True).shape == (kept, kept, 3)
        assert Frame(Preprocessing.for_size((side, side), 3), False).shape == (side, side, 3)
