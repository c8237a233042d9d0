"""Shards behind addresses, from a server on this machine: well, badly, and with bad intent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from test_data_shards import add, shard, tar  # noqa: F401 - the fixture

from striate.api import caching
from striate.api.choices import hint
from striate.data.cache import cache_folder, hold, make_room, place_of
from striate.data.catalogue import open_dataset
from striate.data.source import absolute, is_source
from striate.errors import DataError


class _Server(ThreadingHTTPServer):
    """Serves ``files``, by path; ``faults`` holds what goes wrong with the next requests of a path."""

    daemon_threads = True
    files: dict[str, bytes]
    faults: dict[str, list[str]]
    asked: list[str]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_HEAD(self) -> None:
        self._answer(self.server.files.get(urlsplit(self.path).path.lstrip("/")), body=False)

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.path} {self.headers.get('Range', '')}".strip())
        faults = self.server.faults.get(self.path.lstrip("/"), [])
        fault = faults.pop(0) if faults else ""
        content = self.server.files.get(urlsplit(self.path).path.lstrip("/"))
        if fault.isdigit():
            self.send_error(int(fault))
        elif fault.startswith("to "):
            self.send_response(302)
            self.send_header("Location", fault.removeprefix("to "))
            self.end_headers()
        else:
            self._answer(content, body=True, fault=fault)

    def _answer(self, content: bytes | None, *, body: bool, fault: str = "") -> None:
        if content is None:
            self.send_error(404)
            return
        asked = self.headers.get("Range")
        same = self.headers.get("If-Range", '"1"') == '"1"' and fault != "changed"
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and same else 0
        self.send_response(206 if start else 200)
        if fault != "no length":
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("ETag", '"2"' if fault == "changed" else '"1"')
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if body:
            cut = fault in ("cut", "no length")
            self.wfile.write(content[start : len(content) // 2] if cut else content[start:])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("striate.data.transfer._PAUSE", 0.0)
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def server(tmp_path: Path, tar: Callable[..., Path]) -> Iterator[_Server]:  # noqa: F811
    """pets/train-0.tar, train-1.tar and val-0.tar."""
    with _Server(("127.0.0.1", 0), _Handler) as running:
        running.files, running.faults, running.asked = {}, {}, []
        for number, name in enumerate(("train-0", "train-1", "val-0")):
            path = tar(f"pets/{name}.tar", *shard(10 * number))
            running.files[f"pets/{name}.tar"] = path.read_bytes()
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


PETS = "pets/{train-{0..1},val-0}.tar"


def test_fetched_once_and_the_same_as_those_on_disk(server: _Server, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    data = open_dataset(server.url(PETS), on_progress=lambda *numbers: told.append(numbers))
    near = open_dataset(str(tmp_path / PETS))
    assert data.fingerprint == near.fingerprint and data.train.keys == near.train.keys
    np.testing.assert_array_equal(data.train.images, near.train.images)
    assert (sum(map(len, server.files.values())),) * 2 in told
    assert any("so that a run goes on at any batch" in note for note in data.notes)
    requests = len(server.asked)
    server.files.clear()
    assert open_dataset(server.url(PETS)).fingerprint == data.fingerprint and len(server.asked) == requests
    kept = [entry for entry in caching.cache().entries if entry.what == "fetched shards"]
    assert [entry.source for entry in kept] == [server.url("pets")]
    assert not list(cache_folder().rglob("*.part"))


def test_names_of_classes_beside_the_shards(server: _Server) -> None:
    server.files["pets/classes.txt"] = b"cat\ndog\n"
    assert open_dataset(server.url(PETS)).classes == ("cat", "dog")


@pytest.mark.parametrize("fault", ["cut", "changed", "500", "429"])
def test_what_passes_is_tried_again(server: _Server, fault: str, tmp_path: Path) -> None:
    server.faults["pets/train-1.tar"] = ["cut", fault]
    data = open_dataset(server.url(PETS))
    assert data.fingerprint == open_dataset(str(tmp_path / PETS)).fingerprint
    half = len(server.files["pets/train-1.tar"]) // 2
    assert f"/pets/train-1.tar bytes={half}-" in server.asked  # it went on where it was cut


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        (
            ["cut"] * 9,
            r"train-1\.tar could not be fetched \(the connection ended after [\d,]+ of [\d,]+ bytes\)",
        ),
        (["no length"] * 9, r"the server does not say how long it is, and its end is missing"),
        (["503"] * 9, r"train-1\.tar could not be fetched \(503 Service Unavailable\): try again"),
        (["403"], r"\(403 Forbidden\)"),
        (["to file:///etc/passwd"], r"train-1\.tar could not be fetched"),
        (["to ftp://127.0.0.1/x.tar"] * 9, r"unknown url type: ftp"),
        (["to http://127.0.0.1:1/x.tar"] * 9, r"\[Errno \d+\]"),
    ],
)
def test_what_stays_is_a_sentence_and_the_rest_is_kept(server: _Server, faults: list[str], said: str) -> None:
    server.faults["pets/train-1.tar"] = list(faults)
    with pytest.raises(DataError, match=said):
        open_dataset(server.url(PETS))
    assert not list(cache_folder().rglob("*.part")) and not list(cache_folder().rglob("train-1.tar"))
    server.faults.clear()
    assert len(open_dataset(server.url(PETS)).train) == 20


def test_shards_that_are_not_there_are_told_before_anything_is_fetched(server: _Server) -> None:
    with pytest.raises(
        DataError, match=r"3 of 5 shards of .* are not there \(.*train-2\.tar, .*: check the pattern"
    ):
        open_dataset(server.url("pets/train-{0..4}.tar"))
    assert server.asked == []
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match=r"could not be fetched \(.*\): try again"):
        open_dataset(server.url(PETS))


def test_no_room(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_CACHE_LIMIT", "20K")
    with pytest.raises(DataError, match=r"for which the cache in .* has no room .*: set STRIATE_CACHE_LIMIT"):
        open_dataset(server.url(PETS))
    assert server.asked == []


def test_what_is_read_from_is_not_removed_to_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIATE_CACHE_LIMIT", "1000")
    for name in ("held", "idle"):
        (cache_folder() / "shards" / name).mkdir(parents=True)
        (cache_folder() / "shards" / name / "0.tar").write_bytes(bytes(400))
    hold(cache_folder() / "shards/held")
    assert not make_room(700) and (cache_folder() / "shards/idle").exists()
    assert make_room(500)
    assert [path.name for path in (cache_folder() / "shards").iterdir()] == ["held"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1/pets", r"must name \.tar shards where it is an address"),
        ("https:///x.tar", r"must name \.tar shards where it is an address"),
        ("http://[::1/x.tar", r"is no address"),
        ("http://127.0.0.1:999999/x.tar", r"is no address \(Port out of range"),
        ("http://me:secret@127.0.0.1/x.tar", r"DATA must not hold a password"),
        ("http://127.0.0.1/x.tar?part={0..3}", r"names a shard twice"),
        ("http://a..b/x.tar", r"could not be fetched"),
    ],
)
def test_addresses_that_are_none(address: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        open_dataset(address)
    assert "secret" not in str(caught.value)


def test_an_address_is_the_same_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = "https://host/pets/train-{0..9}.tar"
    here = place_of(address)
    monkeypatch.chdir(tmp_path)
    assert absolute(address) == address and place_of(address) == here and is_source(address)
    assert hint(address) == "train-0-9" and hint("https://host/a.tar?key=secret") == "a"


def test_names_that_lead_elsewhere_stay_in_the_cache(server: _Server, tmp_path: Path) -> None:
    for evil in ("%2e%2e%2f%2e%2e%2fevil.tar", "..%5cevil.tar", "a/../../evil.tar"):
        server.files[evil] = server.files["pets/train-0.tar"]
        open_dataset(server.url(evil))
    outside = [path for path in tmp_path.rglob("*evil*") if "cache/shards" not in path.as_posix()]
    assert outside == [] and len(list((tmp_path / "cache/shards").rglob("*evil.tar"))) == 3


def test_a_file_that_is_no_tar(server: _Server) -> None:
    server.files["pets/val-0.tar"] = b"<html>Please log in</html>"
    with pytest.raises(DataError, match=r"val-0\.tar is no whole tar"):
        open_dataset(server.url(PETS))
