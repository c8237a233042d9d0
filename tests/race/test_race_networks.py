"""``striate.api.race`` and its processes: real engines on a small network, and requests that are refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate import ops
from striate.api import race, racing
from striate.bundle import Bundle, read_bundle, write_bundle
from striate.errors import ArgumentError, StriateError
from striate.export import write_onnx
from striate.graph.graph import Graph, Node

ENGINES = ("striate", "onnxruntime")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    nodes = (
        Node("conv", ops.Conv2d(3, 8, 3, padding=1, bias=False), ("x",), {"weight": "w"}),
        Node("pool", ops.AdaptiveAvgPool2d(1), ("conv",)),
        Node("flat", ops.Flatten(), ("pool",)),
    )
    graph = Graph({"x": ("N", 3, 12, 10)}, nodes, ("flat",))
    path = tmp_path_factory.mktemp("race") / "bundle"
    tensors = {"w": rng.standard_normal((8, 3, 3, 3)).astype(np.float32)}
    write_bundle(path, Bundle(graph, tensors, (), {}, {}))
    return path


def test_a_bundle_is_raced_and_all_agree(folder: Path) -> None:
    heard: list[Any] = []
    found = race(
        folder, batch=[1, 3], threads=[1], engines=ENGINES, rounds=3, seconds=0, listeners=[heard.append]
    )
    assert found.agree and found.input == (3, 12, 10) and found.multiply_adds == 8 * 27 * 120
    assert [(heat["batch"], heat["threads"], heat["rounds"]) for heat in found.heats] == [
        (1, 1, 3),
        (3, 1, 3),
    ]
    for heat in found.heats:
        assert {one["name"] for one in heat["standings"]} == set(ENGINES)
        assert heat["best"] == "onnxruntime" and heat["ratio"] > 0
        assert all(one["milliseconds"] > 0 and one["error"] < 1e-5 for one in heat["standings"])
    assert {one.name for one in found.footprints} == set(ENGINES)
    for one in found.footprints:
        assert one.load_seconds > 0 and 0 < one.own_bytes < one.peak_bytes
    assert heard and found.peak > 0 and set(found.versions) == set(ENGINES)


def test_an_onnx_file_is_raced(folder: Path, tmp_path: Path) -> None:
    bundle = read_bundle(folder)
    write_onnx(tmp_path / "net.onnx", bundle.graph, bundle.weights)
    found = race(
        tmp_path / "net.onnx", batch=[2], threads=[1], engines=ENGINES, rounds=3, seconds=0, footprints=False
    )
    assert found.agree and found.heats[0]["best"] == "onnxruntime" and found.footprints == ()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batch": [0]}, r"batch must be integers of at least 1, got \[0\]"),
        ({"threads": [1, -1]}, "threads must be integers of at least 1"),
        ({"threads": [1, 10**6]}, r"threads must be at most the \d+ processors .*, got 1000000: give fewer"),
        ({"rounds": 0}, "rounds must be"),
        ({"engines": ["torhc"]}, "engines must be known ones, got 'torhc': did you mean torch"),
        ({"engines": ["torch"]}, "torch is not .it needs the torch module"),
        ({"input": "3x9x9"}, "input must be left out for a bundle"),
    ],
)
def test_wrong_requests(folder: Path, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        race(folder, **wrong)


def test_who_ends_the_process_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    event = racing._Event(tmp_path, [], {})
    (tmp_path / racing.COMPLAINTS).write_text("one\nSegmentation fault\n\n")
    answer = {"heats": [1], "peak": 1.0, "machine": {}, "versions": {}}

    def run(request: dict[str, Any]) -> tuple[Any, str | None]:
        return (None, "b") if "b" in request["engines"] else (answer, None)

    monkeypatch.setattr(event, "run", run)
    assert event.contest({}, ["a", "b", "c"]) == [1]
    assert event.absent == {"b": "the process ended while it ran: Segmentation fault"}


FATAL = """
import os, signal, sys
from pathlib import Path
import striate.api.contest as contest
from striate.race import onnx_runtime

prepare, calls = onnx_runtime.prepare, []

def prepare_a_trap(entry):
    answer = prepare(entry)

    def trap():
        calls.append(1)
        if len(calls) > {calls}:
            os.kill(os.getpid(), signal.SIGSEGV)
        return answer()

    return trap

onnx_runtime.prepare = prepare_a_trap
contest.main(Path(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process that is killed tells no signal there")
@pytest.mark.parametrize("calls", [1, 4], ids=["while answers are compared", "while it is timed"])
def test_a_crash_is_laid_at_the_door_of_who_ran(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """striate was loaded last and answers well; it is onnxruntime that dies later."""
    original = racing.subprocess.Popen
    fatal = ["-c", FATAL.format(calls=calls)]

    def start(words: list[str], **rest: Any) -> Any:
        return original([words[0], *fatal, *words[3:]], **rest)

    monkeypatch.setattr(racing.subprocess, "Popen", start)
    found = race(
        folder,
        batch=[1],
        threads=[1],
        engines=("onnxruntime", "striate"),
        rounds=3,
        seconds=0,
        footprints=False,
    )
    assert found.left_out == {"onnxruntime": "the process ended while it ran: killed by SIGSEGV"}
    (heat,) = found.heats
    assert [one["name"] for one in heat["standings"]] == ["striate"] and heat["ratio"] is None


def test_a_process_that_dies_leaves_no_answer(tmp_path: Path) -> None:
    """A request that lacks what is needed: the process fails, and nobody is blamed for it."""
    event = racing._Event(tmp_path, [], {})
    assert event.run({"engines": ["striate"]}) == (None, None)
    with pytest.raises(StriateError, match="ended while no engine ran: KeyError"):
        event.contest({}, ["striate"])
