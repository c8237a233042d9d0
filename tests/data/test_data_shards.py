"""Tar shards as WebDataset writes them, read where they lie; and tars that mean harm."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import shards as room
from striate.data.braces import expand
from striate.data.catalogue import open_dataset
from striate.data.source import read_source
from striate.errors import DataError


def png(seed: int, side: int = 12) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def add(tar: tarfile.TarFile, name: str, content: bytes = b"", **fields: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    tar.addfile(member, io.BytesIO(content))


@pytest.fixture
def tar(tmp_path: Path) -> Callable[..., Path]:
    """Write a tar of (name, content) pairs below tmp_path."""

    def write(name: str, *members: tuple[str, bytes]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w") as archive:
            for member, content in members:
                add(archive, member, content)
        return path

    return write


def shard(start: int, count: int = 10) -> list[tuple[str, bytes]]:
    members = []
    for number in range(start, start + count):
        members += [(f"{number:04d}.png", png(number)), (f"{number:04d}.cls", str(number % 2).encode())]
    return members


def test_patterns() -> None:
    assert expand("a-{008..011}.tar") == ["a-008.tar", "a-009.tar", "a-010.tar", "a-011.tar"]
    assert expand("{x,y}-{0..1}.tar") == ["x-0.tar", "x-1.tar", "y-0.tar", "y-1.tar"]
    assert expand("plain.tar") == ["plain.tar"]
    assert expand("{train-{0..1},val}.tar") == ["train-0.tar", "train-1.tar", "val.tar"]
    assert expand("a{b.tar") == ["a{b.tar"] and expand("{x}{}-{x,x}") == ["x-x"]
    with pytest.raises(DataError, match=r"counts backwards, from 9 to 3"):
        expand("a-{9..3}.tar")
    for much in ("a-{0..99999999999}.tar", "{0..9999}{0..9999}.tar"):
        with pytest.raises(DataError, match=r"shards"):
            expand(much)


def test_shards_are_read_map_style(tar: Callable[..., Path], tmp_path: Path) -> None:
    for number in range(3):
        tar(f"shard-{number:03d}.tar", *shard(10 * number))
    data = open_dataset(str(tmp_path / "shard-{000..002}.tar"))
    assert data.classes == ("0", "1") and sum(map(len, data.splits.values())) == 30
    assert data.train.keys[0].startswith("shard-000/")
    number = int(data.train.keys[3].split("/")[1])
    np.testing.assert_array_equal(data.train.images[3], np.asarray(Image.open(io.BytesIO(png(number)))))
    assert data.train.labels[3] == number % 2
    (tmp_path / "classes.txt").write_text("even\nodd\n")
    assert open_dataset(tmp_path).classes == (
        "even",
        "odd",
    )  # the folder of the shards, and names for numbers
    one = open_dataset(tmp_path / "shard-001.tar")
    assert len(one.train) + len(one.val or ()) == 10
    with pytest.raises(DataError, match=r"shard-003\.tar does not exist \(2 of 5 shards are missing\)"):
        open_dataset(str(tmp_path / "shard-{000..004}.tar"))


def test_a_shard_is_indexed_once_until_it_changes(
    tar: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    index = room.read_tar
    monkeypatch.setattr(room, "read_tar", lambda tar, out: (read.append(tar.name), index(tar, out))[1])
    monkeypatch.setattr("striate.data.facts._TOO_NEW", -1e9)
    for number in range(3):
        tar(f"shard-{number}.tar", *shard(10 * number), ("readme.cls", b"1"))
    first = read_source(str(tmp_path / "shard-{0..2}.tar"))
    again = read_source(str(tmp_path / "shard-{0..2}.tar"))
    assert read == ["shard-0.tar", "shard-1.tar", "shard-2.tar"]
    assert again == first and "readme (a label without an image)" in again.notes[0]  # type: ignore[union-attr]
    tar("shard-1.tar", *shard(50, 4))
    grown = read_source(str(tmp_path / "shard-{0..2}.tar"))
    assert read[3:] == ["shard-1.tar"] and len(grown.parts["all"]) == 24  # type: ignore[union-attr]


def test_splits_by_name_and_what_is_held_out_without_them(tar: Callable[..., Path], tmp_path: Path) -> None:
    tar("a/train-0.tar", *shard(0))
    tar("a/val-0.tar", *shard(10))
    tar("b/train/0.tar", *shard(0))
    tar("b/test/0.tar", *shard(10))
    named = read_source(str(tmp_path / "a/{train,val}-0.tar"))
    assert {split: len(files) for split, files in named.parts.items()} == {"train": 10, "val": 10}  # type: ignore[union-attr]
    assert set(read_source(str(tmp_path / "b")).parts) == {"train", "test"}  # type: ignore[union-attr]
    tar("c/x-0.tar", *shard(0))
    tar("c/x-1.tar", *shard(20))
    before = open_dataset(tmp_path / "c")
    tar("c/x-2.tar", *shard(40))
    after = open_dataset(tmp_path / "c")
    assert before.val is not None and after.val is not None
    assert set(before.val.keys) <= set(after.val.keys)
    tar("a/more.tar", *shard(30))
    with pytest.raises(DataError, match=r"some shards belong to train and val, more\.tar does not say"):
        read_source(str(tmp_path / "a"))


def test_every_form_of_a_label(tar: Callable[..., Path]) -> None:
    path = tar(
        "one.tar",
        ("1.png", png(1)),
        ("1.json", json.dumps({"label": "cat", "width": 12}).encode()),
        ("2.png", png(2)),
        ("2.json", json.dumps({"labels": ["cat", "dog"]}).encode()),
        ("3.txt", b"dog|bird\n"),
        ("3.png", png(3)),
        ("bird/4.png", png(4)),
        ("5.seg.png", png(5)),
        ("5.cls", b"cat"),
    )
    found = read_source(str(path))
    assert found.task == "labels"
    assert [file.labels for file in found.parts["all"]] == [  # type: ignore[union-attr]
        ("cat",),
        ("cat", "dog"),
        ("dog", "bird"),
        ("bird",),
        ("cat",),
    ]


def test_what_leads_out_of_the_archive_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        for name, content in shard(0):
            add(archive, name, content)
        add(archive, "../../etc/cron.png", png(50))
        add(archive, "/etc/passwd.png", png(51))
        add(archive, "link.png", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        add(archive, "hard.png", type=tarfile.LNKTYPE, linkname="0000.png")
        add(archive, "pipe.png", type=tarfile.FIFOTYPE)
        add(archive, "device.png", type=tarfile.CHRTYPE)
        add(archive, ".hidden.png", png(52))
        add(archive, "lonely.cls", b"1")
    found = read_source(str(path))
    assert len(found.parts["all"]) == 10  # type: ignore[union-attr]
    note = " ".join(found.notes)  # type: ignore[union-attr]
    for part in ("../../etc/cron.png (its name leads out", "link.png (no regular file)", "and 3 more"):
        assert part in note
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["evil.tar"]


def test_a_tar_that_is_not_closed_is_noted(tar: Callable[..., Path]) -> None:
    path = tar("open.tar", *shard(0))
    path.write_bytes(path.read_bytes().rstrip(b"\0") + bytes(512))
    found = read_source(str(path))
    assert "what may follow in open.tar (it does not end as a tar: perhaps cut short)" in found.notes[0]  # type: ignore[union-attr]


def test_a_tar_cut_anywhere_is_a_sentence(tar: Callable[..., Path]) -> None:
    path = tar("whole.tar", *shard(0))
    whole = path.read_bytes()
    end = whole.rstrip(b"\0")
    for length in (0, 100, 511, 700, len(end) // 2, len(end) - 5):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"whole\.tar (is no whole tar|holds no images)|have no label"):
            read_source(str(path))
    below = bytearray(whole[:512])
    below[124:136] = b"\xff" * 12  # a size of -1, as GNU tar writes numbers
    below[148:156] = b" " * 8
    below[148:156] = b"%06o\0 " % sum(below)
    path.write_bytes(bytes(below) + whole[512:])
    with pytest.raises(DataError, match=r"whole\.tar is no whole tar"):
        read_source(str(path))
    path.write_bytes(b"\x1f\x8b" + whole[:600])
    with pytest.raises(DataError, match=r"is no whole tar .*: unpack it to a plain \.tar"):
        read_source(str(path))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            [("1.png", png(1)), ("2.png", png(2)), ("2.cls", b"0")],
            r"1 of 2 images in .* have no label \(.*one/1\)",
        ),
        ([("1.png", png(1)), ("1.jpg", png(2)), ("1.cls", b"0")], r"has two images called '1'"),
        ([("1.png", png(1)), ("1.cls", b"\xff\xfe")], r"the label 1\.cls cannot be read"),
        ([("1.png", png(1)), ("1.json", b"{")], r"the label 1\.json cannot be read"),
        ([("1.png", png(1)), ("1.json", b"[" * 50_000)], r"the label 1\.json cannot be read"),
        ([("readme.md", b"hello")], r"holds no images: write each as NAME\.jpg"),
    ],
)
def test_what_is_no_sample_is_said(
    members: list[tuple[str, bytes]], message: str, tar: Callable[..., Path]
) -> None:
    with pytest.raises(DataError, match=message):
        read_source(str(tar("one.tar", *members)))


def test_commands_and_addresses_are_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"DATA must not be a command, and pipe: would run one"):
        open_dataset("pipe:curl http://x/shard-{000..999}.tar")
    for address in ("s3://bucket/shard-{0..9}.tar", "file:/tmp/x.tar"):
        with pytest.raises(DataError, match=r"got the address (s3|file):.*, which is not fetched"):
            open_dataset(address)


def test_what_webdataset_writes_is_read(tmp_path: Path) -> None:
    wds = pytest.importorskip("webdataset")
    with wds.TarWriter(str(tmp_path / "w-000.tar")) as sink:
        for number in range(12):
            pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
            sink.write({"__key__": f"n{number}", "png": pixels, "cls": number % 3})
    data = open_dataset(tmp_path / "w-000.tar", val_fraction=0.2)
    assert data.classes == ("0", "1", "2") and sum(map(len, data.splits.values())) == 12
