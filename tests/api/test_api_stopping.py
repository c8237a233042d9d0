"""Stopped or out of room at any place, a training loses nothing and says how it goes on."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from api_world import draw_pictures

from striate import api, bundle
from striate.api import finish, training
from striate.api.stages import Noted
from striate.cli import main
from striate.data import frame
from striate.errors import VERDICT, StriateError
from striate.report import page
from striate.runs import RunFolder
from striate.training import evaluate as evaluation
from striate.training import state

PLACES = {
    "reading": (frame, "decode_picture"),
    "building": (training, "build"),
    "the first look": (state.State, "begin_average"),
    "measuring": (evaluation, "evaluating"),
    "the bundle": (bundle, "_encode"),
    "the report": (page, "render"),
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_pictures(tmp_path_factory.mktemp("pictures"), each=20)


@pytest.fixture(scope="module")
def undisturbed(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return api.train(pictures, run=tmp_path_factory.mktemp("whole") / "run", epochs=2, threads=1).path


def striate(monkeypatch: pytest.MonkeyPatch, capsys: Any, *words: object) -> tuple[int, str]:
    """The exit code of a command and what it said on stderr."""
    monkeypatch.setattr(sys, "argv", ["striate", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    assert isinstance(left.value.code, int)
    return left.value.code, capsys.readouterr().err


def same_weights(one: Path, other: Path) -> bool:
    return (one / "bundle/model.safetensors").read_bytes() == (
        other / "bundle/model.safetensors"
    ).read_bytes()


@pytest.mark.parametrize(
    ("place", "number"),
    [(place, (signal.SIGINT, signal.SIGTERM)[turn % 2]) for turn, place in enumerate(PLACES)],
)
def test_stopped_anywhere(
    place: str, number: int, pictures: Path, undisturbed: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    owner, name = PLACES[place]
    work: Callable[..., Any] = getattr(owner, name)

    once = iter([number])  # threads that read go on for a while: more of them would reach pytest afterwards

    def stopped(*arguments: Any, **more: Any) -> Any:
        for asked in once:
            os.kill(os.getpid(), asked)
        return work(*arguments, **more)

    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, stopped)
        patch.setenv(VERDICT, str(tmp_path / "verdict"))
        code, said = striate(monkeypatch, capsys, "train", pictures, "--run", tmp_path / "run", "--epochs", 2,
                             "--threads", 1)  # fmt: skip
    signal.signal(number, before)
    assert code == 130 and "Traceback" not in said
    assert not (tmp_path / "verdict").exists()  # a launcher that stopped us starts us again
    run = tmp_path / "run"
    assert list(run.rglob(".*.part")) == []
    if place in ("reading", "building"):
        assert not run.exists() and said.endswith("Stopped.\n")
        return
    assert f"striate train --resume {run}" in said
    again = api.resume(run)
    assert again.finished and same_weights(run, undisturbed) and (run / "report.html").exists()


@pytest.mark.long
@pytest.mark.parametrize("turn", range(24))
def test_stopped_at_any_time(turn: int, pictures: Path, undisturbed: Path, tmp_path: Path) -> None:
    """From the first import to the report, by the clock: wherever a signal comes, nothing is lost."""
    number, run = (signal.SIGINT, signal.SIGTERM)[turn % 2], tmp_path / "run"
    words = ["train", str(pictures), "--run", str(run), "--epochs", "2", "--threads", "1"]
    python_is_up = "from striate.__main__ import main; print(flush=True); main()"
    process = subprocess.Popen(
        [sys.executable, "-c", python_is_up, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline()
    time.sleep(0.1 + 0.3 * turn)
    process.send_signal(number)
    _, said = process.communicate(timeout=300)
    assert process.returncode in (130, 0, -signal.SIGINT, -number) and "Traceback" not in said, said
    if run.exists():
        assert api.resume(run).finished and same_weights(run, undisturbed)


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Inside, the disk takes no larger file: a write beyond fails as on a full disk, half of it written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class FullWhile:
    """Patches one function so that the disk is full while it works."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, size: int) -> None:
        work = getattr(owner, name)

        def full(*arguments: Any, **more: Any) -> Any:
            with files_up_to(size):
                return work(*arguments, **more)

        monkeypatch.setattr(owner, name, full)


FULL = {
    "settings": (training, "write_down", 100, "cannot be written (File too large)"),
    "checkpoint": (state.checkpoint, "save", 4000, "The checkpoint at step"),
    "bundle": (finish, "_bundle", 40_000, "bundle cannot be written (File too large)"),
    "insight": (finish, "_look", 100, "cannot be written (File too large)"),
    "report": (page, "write_atomically", 4000, "report.html cannot be written (File too large)"),
}


@pytest.mark.parametrize("what", FULL)
def test_a_full_disk(
    what: str, pictures: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name, size, message = FULL[what]
    run, told = tmp_path / "run", []
    with monkeypatch.context() as patch:
        FullWhile(patch, owner, name, size)
        with pytest.raises(StriateError) as caught:
            api.train(pictures, run=run, epochs=2, threads=1, listeners=[told.append])
    assert message in str(caught.value)
    assert list(tmp_path.rglob(".*.part")) == []
    if what == "settings":
        assert not run.exists()
        return
    notes = " ".join(event.message for event in told if isinstance(event, Noted))
    if what == "report":
        assert f"striate report {run}" in notes
        api.report(run)
    else:
        assert f"striate train --resume {run}" in str(caught.value) + notes
        api.resume(run)
    assert RunFolder(run).report.exists() and same_weights(run, undisturbed)


def test_what_a_killed_process_left_is_swept_away(undisturbed: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    (run / "result.json").unlink()
    (run / ".bundle.77.part").mkdir()
    (run / ".bundle.77.part/graph.json").write_text("{")
    (run / "insight/.mistakes.json.0af3.part").write_text("{")
    assert api.resume(run).finished
    assert list(run.rglob(".*.part")) == []
