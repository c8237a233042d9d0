"""Many kernels made at once: the same code with a helper, without one, and with one that fails."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from engine_world import host_target

from striate.engine import build as file
from striate.engine import cache
from striate.engine.build import build
from striate.engine.kernels.frame import Frame
from striate.engine.kernels.kernel import Kernel
from striate.engine.layout import Layout


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))
    monkeypatch.setattr(file, "processors", lambda: 2)
    return tmp_path / "kernels"


def kernels(count: int = file.MUCH) -> list[Kernel]:
    lanes = host_target().lanes
    return [Frame(Layout(lanes, 3, 4 + number, lanes, (1, 1, 1, 1))) for number in range(count)]


def alone(monkeypatch: pytest.MonkeyPatch, some: list[Kernel]) -> dict[str, bytes]:
    with monkeypatch.context() as patch:
        patch.setattr(file, "MUCH", 10**6)
        patch.setattr(cache, "read", lambda name: None)
        return build(some, host_target())


def test_a_helper_makes_the_same_code(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    original = file._Helper.ask
    monkeypatch.setattr(
        file._Helper, "ask", lambda self, symbol, text: (asked.append(symbol), original(self, symbol, text))
    )
    compiled_here: list[str] = []
    real = file.object_code
    monkeypatch.setattr(file, "object_code", lambda mod, t: (compiled_here.append(str(mod)), real(mod, t))[1])
    found = build(kernels(), host_target())
    assert len(asked) == len(compiled_here) == file.MUCH / 2  # the other half came from the helper
    assert found == alone(monkeypatch, kernels())
    assert len(list(own_cache.iterdir())) == file.MUCH


def test_a_helper_ends_though_a_forked_child_holds_its_pipe() -> None:
    (kernel,) = kernels(1)
    helper = file._Helper(host_target())
    helper.ask(kernel.symbol, str(kernel.emit(host_target())))
    held = os.dup(helper._process.stdin.fileno())  # type: ignore[union-attr]
    found: list[dict[str, bytes]] = []
    asking = threading.Thread(target=lambda: found.append(helper.answers()))
    asking.start()
    asking.join(20)
    os.close(held)
    assert found and kernel.symbol in found[0]


def test_what_is_in_the_cache_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(kernels(), host_target())
    monkeypatch.setattr(file, "object_code", lambda *_: pytest.fail("made again"))
    assert build(kernels(), host_target()) == first


@pytest.mark.parametrize(
    "command",
    [
        "raise SystemExit(3)",
        "import sys; sys.stdin.buffer.read(100)",
        "import sys; sys.stdout.buffer.write(b'\\x09\\0\\0\\0\\0\\0\\0\\0cut'); sys.stdin.buffer.read()",
    ],
)
def test_a_helper_that_fails_costs_nothing_but_time(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "COMMAND", command)
    assert build(kernels(), host_target()) == alone(monkeypatch, kernels())


def test_another_program_is_not_started_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file.sys, "executable", "/usr/bin/blender")
    monkeypatch.setattr(file.subprocess, "Popen", lambda *_, **__: pytest.fail("started"))
    assert build(kernels(), host_target()) == alone(monkeypatch, kernels())
