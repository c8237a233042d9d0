"""Sources read ahead: the same arrays, only where they lie here, and nothing that goes wrong goes unsaid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from striate.data import named
from striate.data.ahead import Ahead
from striate.data.catalogue import open_dataset
from striate.data.idx import write_idx
from striate.data.source import read_source
from striate.errors import DataError


def pair(folder: Path) -> Path:
    images = np.random.default_rng(0).integers(0, 256, (60, 4, 4), dtype=np.uint8)
    (folder / "train-images-idx3-ubyte").write_bytes(write_idx(images))
    (folder / "train-labels-idx1-ubyte").write_bytes(write_idx(np.arange(60, dtype=np.uint8) % 3))
    return folder


@pytest.mark.parametrize("kind", ["named", "idx folder", "idx file", "npz"])
def test_what_is_read_ahead_is_what_would_be_read(kind: str, tmp_path: Path) -> None:
    source: str | Path = "fashion-mini"
    if kind == "npz":
        source = tmp_path / "set.npz"
        np.savez(source, images=np.zeros((6, 4, 4), np.uint8), labels=np.arange(6) % 2)
    elif kind != "named":
        source = pair(tmp_path) / ("train-images-idx3-ubyte" if kind == "idx file" else "")
    found, usual = Ahead(source).take(), read_source(str(source))
    assert found is not None
    assert found.classes == usual.classes and list(found.splits) == list(usual.splits)
    for split, arrays in found.splits.items():
        assert all(np.array_equal(*both) for both in zip(arrays, usual.splits[split], strict=True))


def test_a_data_set_is_the_same_with_arrays_read_ahead(tmp_path: Path) -> None:
    source = pair(tmp_path)
    usual, ahead = open_dataset(source), open_dataset(source, known=Ahead(source).take())
    assert ahead.fingerprint == usual.fingerprint
    assert np.array_equal(ahead.train.images, usual.train.images)


def test_other_sources_are_not_read_ahead(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.png").write_bytes(b"")
    (tmp_path / "list.csv").write_text("file,label\n")
    for source in (tmp_path, tmp_path / "list.csv", tmp_path / "nothing", "https://localhost/x.tar", ""):
        assert Ahead(source).take() is None
    assert Ahead("fashion-mini", wanted=False).take() is None


def test_what_is_damaged_is_said_by_whoever_reads_it_then(tmp_path: Path) -> None:
    source = pair(tmp_path)
    (source / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\1\0\0\0\x09")
    known = Ahead(source).take()
    assert known is None
    with pytest.raises(DataError, match="must be a whole IDX file"):
        open_dataset(source, known=known)


def test_nothing_is_downloaded_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "DEBIAN", tmp_path / "nowhere")
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(named, "fetch", lambda *_: pytest.fail("a download"))
    assert Ahead("fashion-mnist").take() is None
