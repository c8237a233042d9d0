"""Named sets: the embedded one, where the full one is looked for, and how it is downloaded."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from striate.data import named
from striate.data.download import fetch
from striate.data.idx import read_idx, unzip, write_idx
from striate.errors import DataError

CONTENT = np.random.default_rng(0).bytes(300_000)


class _Server(HTTPServer):
    """Serves CONTENT under every path; counts the bytes of each answer, and can break off."""

    ranges = True
    stop_after: int | None = None
    sent: list[int]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        if self.path == "/gone":
            self.send_error(404)
            return
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.server.sent.append(len(body[: self.server.stop_after]))  # first: the client may be quicker
        self.wfile.write(body[: self.server.stop_after])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Handler) as running:
        running.sent = []
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def url(server: _Server, path: str = "/file") -> str:
    return f"http://127.0.0.1:{server.server_port}{path}"


def is_right(content: bytes) -> bool:
    return content == CONTENT


def test_a_download_is_whole_and_tells_its_progress(server: _Server, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    fetch([url(server)], tmp_path / "new/file", is_right, lambda *numbers: told.append(numbers))
    assert (tmp_path / "new/file").read_bytes() == CONTENT
    assert told[-1] == (300_000, 300_000) and told == sorted(told) and len(told) > 2
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]


def test_an_interrupted_download_goes_on_where_it_stopped(server: _Server, tmp_path: Path) -> None:
    server.stop_after = 100_000
    with pytest.raises(
        DataError, match=r"file could not be downloaded .*ended after 100,000 of 300,000 bytes"
    ):
        fetch([url(server)], tmp_path / "file", is_right)
    assert not (tmp_path / "file").exists()
    server.stop_after = None
    fetch([url(server)], tmp_path / "file", is_right)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.sent == [100_000, 200_000]


def test_a_server_that_cannot_go_on_sends_all_again(server: _Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    fetch([url(server)], tmp_path / "file", is_right)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_whole_part_is_taken_and_a_wrong_one_thrown_away(server: _Server, tmp_path: Path) -> None:
    part = tmp_path / "file.part"
    part.write_bytes(CONTENT)
    fetch([url(server)], tmp_path / "file", is_right)
    assert (tmp_path / "file").read_bytes() == CONTENT and not part.exists()
    part.write_bytes(b"x" * 1000)
    with pytest.raises(DataError, match=r"the content is not what it should be \(SHA-256\)"):
        fetch([url(server)], tmp_path / "other" / "file", lambda _: False)
    fetch([url(server), url(server)], tmp_path / "file", is_right)  # the second starts afresh
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_the_next_address_is_tried_and_all_failures_are_told(server: _Server, tmp_path: Path) -> None:
    fetch([url(server, "/gone"), url(server)], tmp_path / "file", is_right)
    assert (tmp_path / "file").read_bytes() == CONTENT
    with pytest.raises(
        DataError, match=r"/gone: 404 Not Found\): try again .* or put the file into .* yourself"
    ):
        fetch([url(server, "/gone")], tmp_path / "another", is_right)


def test_a_cache_that_cannot_be_written(server: _Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot be written .*: set STRIATE_CACHE to a folder with room"):
        fetch([url(server)], tmp_path / "file/below", is_right)


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.delenv("STRIATE_CACHE", raising=False)
    assert named.cache_folder() == tmp_path / "xdg/striate"
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "own"))
    assert named.cache_folder() == tmp_path / "own"


def test_the_full_set_is_looked_for_in_the_cache_and_damage_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A stand-in for the full set: the places and the check of the content are what is tested."""
    small = {file: unzip((named.EMBEDDED / file).read_bytes(), file) for file in named.SHA256}
    digests = {file: hashlib.sha256(content).hexdigest() for file, content in small.items()}
    monkeypatch.setattr(named, "SHA256", digests)
    monkeypatch.setattr(named, "DEBIAN", tmp_path / "debian")
    monkeypatch.setattr(named, "MIRRORS", ("http://127.0.0.1:9/",))
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    for file, content in small.items():
        place = tmp_path / "cache/fashion-mnist" / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(gzip.compress(content, 1))  # zipped differently, the same content
    images, labels = named.read_named("fashion-mnist")["train"]
    assert images.shape == (10_000, 28, 28, 1) and labels.dtype == np.int64
    damaged = tmp_path / "cache/fashion-mnist/t10k-labels-idx1-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte.gz could not be downloaded"):
        named.read_named("fashion-mnist")


def test_idx_round_trip_and_refusals() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    content = write_idx(array)
    assert content[:8] == b"\x00\x00\x08\x03\x00\x00\x00\x02"
    np.testing.assert_array_equal(read_idx(content, "x"), array)
    for broken in (content[:-1], content + b"\0", b"", b"\x00\x00\x0d" + content[3:]):
        with pytest.raises(DataError, match=r"x is not a whole IDX file of bytes: remove it"):
            read_idx(broken, "x")
    with pytest.raises(DataError, match=r"y is damaged .*: remove it"):
        unzip(b"not gzip", "y")


def test_the_embedded_set_is_small_and_has_its_licence() -> None:
    sizes = {path.name: path.stat().st_size for path in named.EMBEDDED.iterdir()}
    assert set(sizes) == {*named.SHA256, "LICENSE"}
    assert sum(sizes.values()) < 6_000_000
    licence = (named.EMBEDDED / "LICENSE").read_text()
    assert "The MIT License" in licence and "2017 Zalando SE" in licence


@pytest.mark.apt
def test_the_embedded_set_can_be_built_again_byte_for_byte(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "tools/make_fashion_mini.py"
    spec = importlib.util.spec_from_file_location("make_fashion_mini", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.build(tmp_path)
    for path in named.EMBEDDED.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.apt
def test_debian_has_the_full_set_and_the_digests_are_its() -> None:
    splits = named.read_named("fashion-mnist")
    assert {name: images.shape for name, (images, _) in splits.items()} == {
        "train": (60_000, 28, 28, 1),
        "test": (10_000, 28, 28, 1),
    }
    assert np.bincount(splits["train"][1]).tolist() == [6_000] * 10
