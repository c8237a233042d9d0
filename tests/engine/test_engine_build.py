"""Many kernels made at once: the same code with a helper, without one, and with one that fails."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from engine_world import host_target

from striate.engine import build as file
from striate.engine import cache
from striate.engine import team as beside
from striate.engine.build import build
from striate.engine.compiled import OutOfBoundsError
from striate.engine.kernels.frame import Frame
from striate.engine.kernels.kernel import Kernel, Work
from striate.engine.layout import Layout
from striate.engine.machine_code import object_code
from striate.engine.target import Target
from striate.engine.team import Helper, team


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))
    monkeypatch.setattr(beside, "processors", lambda: 2)
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
    answered: list[bytes | None] = []
    original = Helper.object_code

    def noted(self: Helper, text: str, target: Target) -> bytes | None:
        answered.append(original(self, text, target))
        return answered[-1]

    def slowly(mod: str, target: Target) -> bytes:
        while not answered:  # the helper has not begun
            time.sleep(0.01)
        return object_code(mod, target)

    monkeypatch.setattr(Helper, "object_code", noted)
    monkeypatch.setattr(file, "object_code", slowly)
    found = build(kernels(), host_target())
    assert answered and None not in answered
    assert found == alone(monkeypatch, kernels())
    assert len(list(own_cache.iterdir())) == file.MUCH


def test_helpers_serve_until_the_block_ends_that_called_them() -> None:
    with team() as outer:
        build(kernels(), host_target())
        (helper,) = outer.call()
        with team() as inner:
            assert inner.call() == [helper]
        while helper.starting(1):
            pass
        assert helper.up and helper._process.poll() is None
    assert helper._process.poll() is not None


def test_a_helper_ends_though_a_forked_child_holds_its_pipe() -> None:
    helper = Helper()
    while helper.starting(1):
        pass
    assert helper.up
    held = os.dup(helper._given.fileno())
    helper.end()
    os.close(held)
    assert helper._process.returncode is not None


def test_an_error_of_a_kernel_is_raised_whoever_took_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(Frame):
        def body(self, work: Work) -> None:
            raise OutOfBoundsError("too far")

    wrong = [Wrong(kernel.target) for kernel in kernels()]  # type: ignore[attr-defined]
    with pytest.raises(OutOfBoundsError, match="too far"):
        build(wrong, host_target())


def test_after_an_interrupt_no_more_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()

    def slowly(self: Helper, text: str, target: Target) -> bytes:
        asked.append(text)
        time.sleep(0.05)
        return b""

    def interrupted(mod: str, target: Target) -> bytes:
        while not asked:
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(Helper, "object_code", slowly)
    monkeypatch.setattr(file, "object_code", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(kernels(20), host_target())
    assert len(asked) <= 3


def test_what_is_in_the_cache_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(kernels(), host_target())
    monkeypatch.setattr(file, "object_code", lambda *_: pytest.fail("made again"))
    assert build(kernels(), host_target()) == first


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    "command",
    [
        "raise SystemExit(3)",
        "import sys; sys.stdin.buffer.read(100)",
        "import sys; sys.stdout.buffer.write(b'\\x09\\0\\0\\0\\0\\0\\0\\0cut'); sys.stdin.buffer.read()",
        "print('said by a sitecustomize that is longer than a greeting', flush=True); input()",
        "import sys; sys.stdout.buffer.write(bytes(8))",  # it is there, and goes
        "import sys; sys.stdout.buffer.write(bytes(8) + b'\\x09\\0\\0\\0\\0\\0\\0\\0cut')",
    ],
)
def test_a_helper_that_fails_costs_nothing_but_time(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "COMMAND", command)
    assert build(kernels(), host_target()) == alone(monkeypatch, kernels())


def test_another_program_is_not_started_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside.sys, "executable", "/usr/bin/blender")
    monkeypatch.setattr(beside.subprocess, "Popen", lambda *_, **__: pytest.fail("started"))
    assert build(kernels(), host_target()) == alone(monkeypatch, kernels())
