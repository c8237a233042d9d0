"""A program that lies ready: the same answers from another process's work, and nothing that is not whole."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from engine_world import chain, host_target, random_weights

from striate import ops
from striate.bundle import TENSORS, Bundle, read_bundle, write_bundle
from striate.engine import cache, stored
from striate.engine import network as file
from striate.engine import threads as threads_file
from striate.engine.memory import GUARD
from striate.engine.network import Network, load
from striate.engine.trust import trusted
from striate.errors import BundleError
from striate.graph.graph import Graph, Weights
from striate.reference import run

IMAGES = np.random.default_rng(0).standard_normal((3, 3, 12, 12)).astype(np.float32)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a norm and a word that NumPy runs; its code in a cache."""
    words = (
        ops.Conv2d(3, 16, 3, padding=1),
        ops.BatchNorm(16),
        ops.AdaptiveAvgPool2d(1),
        ops.Flatten(),
        ops.Linear(16, 8),
        ops.RBF(8, 5),
    )
    place = tmp_path_factory.mktemp("made")
    graph = chain(*words, shape=(3, 12, 12))
    write_bundle(place / "bundle", Bundle(graph, random_weights(graph), (), {}, {}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.FOLDER, str(place / "cache"))
        patch.delenv(GUARD, raising=False)
        trusted.cache_clear()  # this process may have checked its machine, and noted it in another cache
        answer(load(place / "bundle", threads=1))
    return place


@pytest.fixture(autouse=True)
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of both; the program for one thread lies ready."""
    shutil.copytree(made, tmp_path / "made")
    monkeypatch.setenv(cache.FOLDER, str(tmp_path / "made" / "cache"))
    monkeypatch.delenv(GUARD, raising=False)  # with guard pages nothing is stored
    return tmp_path / "made" / "bundle"


@pytest.fixture
def own_cache(folder: Path) -> Path:
    return folder.parent / "cache" / "programs"


def _folded(folder: Path) -> tuple[Graph, Weights]:
    bundle = read_bundle(folder)
    return bundle.graph, bundle.weights


def answer(network: Network) -> np.ndarray:
    return np.asarray(network(IMAGES))


def test_the_second_time_nothing_is_made(
    folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = own_cache.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()
    first = load(folder, threads=1)
    expected = answer(first)
    np.testing.assert_allclose(expected, run(*_folded(folder), IMAGES), rtol=1e-4, atol=1e-5)
    monkeypatch.setattr(file, "defined", lambda bundle: pytest.fail("its tensors were read"))
    again = load(folder, threads=1)
    np.testing.assert_array_equal(answer(again), expected)
    assert str(again.plan()) == str(first.plan())
    assert "RBF" in str(again.plan())


def test_a_network_in_memory_is_stored_too(folder: Path, own_cache: Path) -> None:
    bundle = read_bundle(folder)
    other = Bundle(bundle.graph, {**bundle.weights, "4.bias": np.ones(8, np.float32)}, (), {}, {})
    same = Bundle(bundle.graph, bundle.weights, (), {}, {})
    answers = [answer(Network(each, threads=1)) for each in (same, other, same, other)]
    np.testing.assert_array_equal(answers[0], answers[2])
    np.testing.assert_array_equal(answers[1], answers[3])
    assert not np.array_equal(answers[0], answers[1])
    assert len(list(own_cache.iterdir())) == 3


def test_errors_of_layers_are_those_of_the_program_that_was_made(folder: Path) -> None:
    shown = str(load(folder, threads=1).plan(check=True))
    shutil.rmtree(folder.parent / "cache" / "programs")
    assert str(load(folder, threads=1).plan(check=True)) == shown and "e-0" in shown


def test_exact_and_threads_are_programs_of_their_own(folder: Path, own_cache: Path) -> None:
    for exact, threads in ((True, 1), (False, 1), (False, 2)):
        answer(load(folder, threads=threads, exact=exact))
    assert len(list(own_cache.iterdir())) == 3


def _byte(place: Callable[[int], int]) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[place(len(content))] ^= 1
        path.write_bytes(content)

    return spoil


SPOILED: dict[str, Callable[[Path], object]] = {
    "seal": _byte(lambda size: 0),
    "length of the head": _byte(lambda size: 38),
    "head": _byte(lambda size: 100),
    "weights": _byte(lambda size: size // 2),
    "the last byte": _byte(lambda size: size - 1),
    "cut": lambda path: os.truncate(path, path.stat().st_size - 1),
    "longer": lambda path: os.truncate(path, path.stat().st_size + 1),
    "empty": lambda path: os.truncate(path, 0),
    "writable by others": lambda path: path.chmod(0o666),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "folder open to others": lambda path: path.parent.chmod(0o755),
    "a link to nowhere": lambda path: (path.unlink(), path.symlink_to("nowhere")),
}


@pytest.mark.parametrize("attack", SPOILED)
def test_what_is_not_whole_is_made_again(folder: Path, own_cache: Path, attack: str) -> None:
    (path,) = own_cache.iterdir()
    assert stored.read(path.name) is not None
    SPOILED[attack](path)
    assert stored.read(path.name) is None
    assert answer(load(folder, threads=1)).shape == (3, 5)


def test_a_program_of_another_name_is_not_taken(folder: Path, own_cache: Path) -> None:
    (path,) = own_cache.iterdir()
    other = "a" * 64
    path.rename(path.with_name(other))
    assert stored.read(other) is None


def test_a_bundle_that_changed_is_refused_all_the_same(folder: Path) -> None:
    network = load(folder, threads=1)  # ready; its tensors were hashed and not kept
    _byte(lambda size: size - 1)(folder / TENSORS)
    with pytest.raises(BundleError, match="has changed since it was written"):
        load(folder, threads=1)
    with pytest.raises(BundleError, match="has changed since it was read: load the network again"):
        network.plan(check=True)
    assert answer(network).shape == (3, 5)


def test_the_limit_of_the_cache_is_kept(
    folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(own_cache)
    monkeypatch.setenv("STRIATE_CACHE_LIMIT", "0")
    answer(load(folder, threads=1))
    assert list(own_cache.iterdir()) == []
    monkeypatch.setenv("STRIATE_CACHE_LIMIT", "no size")  # no reason to refuse an answer
    answer(load(folder, threads=1))
    assert list(own_cache.iterdir()) == []


def test_the_least_recently_used_goes_first(
    folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads_file, "processors", lambda: 3)
    answer(load(folder, threads=2))
    one, two = sorted(own_cache.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    os.utime(two, (1, 1))
    monkeypatch.setattr(stored, "MOST", one.stat().st_size * 5 // 2)
    answer(load(folder, threads=3))
    assert one.exists() and not two.exists() and len(list(own_cache.iterdir())) == 2


LEAN = """
import json, sys
from striate import load
network = load(sys.argv[1], threads=1)
import numpy as np
network(np.zeros((1, 3, 12, 12), np.float32))
heavy = ("torch", "striate.engine.plan", "striate.engine.kernels", "striate.reference")
print(json.dumps([name for name in heavy if name in sys.modules]))
"""


def test_a_program_that_lies_ready_needs_no_compiler(folder: Path, own_cache: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEAN, str(folder)], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == ["striate.reference"]  # for the word that has no kernel


def test_every_kind_of_machine_has_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = host_target()
    assert stored.name_of("x", target) != stored.name_of("y", target)
    monkeypatch.setattr(cache, "_source", lambda rooms: "another version")
    assert stored.name_of("x", target) not in (stored.name_of("y", target), "")
