"""A training that is killed at any point and resumed ends with the same weights, bit for bit."""

from __future__ import annotations

import random
import shutil
import signal
from pathlib import Path

import kill_world as world
import pytest
import torch
from training_world import as_a_process

from striate.runs import read_lines
from striate.training import checkpoint

State = dict[str, torch.Tensor]


def seeded_points(count: int) -> list[tuple[str, int]]:
    """Half of them within the writing of a checkpoint or of the history, half at a batch."""
    draw = random.Random(0)
    kinds = [("batch", "fsync", "batch", "cut", "batch", "replace")[number % 6] for number in range(count)]
    return [(kind, draw.randint(1, world.EVENTS[kind])) for kind in kinds]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    world.train(folder)
    return folder


def weights(folder: Path) -> State:
    newest = checkpoint.load_newest(folder / "checkpoints")
    return dict(newest.tensors) if newest is not None else {}


def kill_and_resume(folder: Path, points: list[tuple[str, int]], undisturbed: Path) -> None:
    for point in points:
        done = as_a_process(world.__file__, str(folder), point[0], str(point[1]))
        may_be_done = {0} if point is not points[0] else set()  # what the first kill left may be little
        assert done.returncode in {-signal.SIGKILL} | may_be_done, done.stderr
    _, result = world.train(folder, resume=True)
    assert result.steps == world.STEPS
    mine, theirs = weights(folder), weights(undisturbed)
    assert mine.keys() == theirs.keys()
    for name, tensor in mine.items():  # network, optimiser, average, sums
        assert torch.equal(tensor, theirs[name]), name
    last, wanted = (checkpoint.load_newest(f / "checkpoints") for f in (folder, undisturbed))
    assert last is not None and wanted is not None and last.best == wanted.best is not None
    epochs = [record["epoch"] for record in read_lines(folder / "history.jsonl")]
    assert epochs == [1, 2, 3, 4]
    assert not list((folder / "checkpoints").glob(".*")), "what a killed process had half written is gone"


@pytest.mark.parametrize("point", [("batch", 17), ("cut", 27), ("replace", 21)], ids=str)
def test_killed_once(point: tuple[str, int], tmp_path: Path, undisturbed: Path) -> None:
    """Between two steps; in a checkpoint with a file cut short; before the rename of another."""
    kill_and_resume(tmp_path, [point], undisturbed)


@pytest.mark.long
@pytest.mark.parametrize("point", seeded_points(20), ids=str)
def test_killed_at_seeded_points(point: tuple[str, int], tmp_path: Path, undisturbed: Path) -> None:
    """The first kill is anywhere, the second soon after the resume."""
    kill_and_resume(tmp_path, [point, ("batch", 1 + point[1] % 3)], undisturbed)


@pytest.mark.parametrize("file", ["state.safetensors", "checkpoint.json"])
@pytest.mark.parametrize("harm", ["cut", "changed", "gone"])
def test_a_damaged_checkpoint_is_passed_over(file: str, harm: str, tmp_path: Path, undisturbed: Path) -> None:
    shutil.copytree(undisturbed, tmp_path, dirs_exist_ok=True)
    damaged, before = checkpoint.list_steps(tmp_path / "checkpoints")[:2]
    target = damaged / file
    content = target.read_bytes()
    if harm == "cut":
        target.write_bytes(content[: len(content) // 2])
    elif harm == "changed":
        place = content.rindex(b'"step_in_epoch": 0') + 17 if file.endswith("json") else len(content) - 5
        target.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    else:
        target.unlink()
    told: list[str] = []
    found = checkpoint.load_newest(tmp_path / "checkpoints", told.append)
    assert found is not None and before.name == f"step-{found.step:08d}"
    assert len(told) == 1 and told[0].startswith(f"{damaged} is ") and told[0].endswith("passed over.")
    world.train(tmp_path, resume=True)
    mine, theirs = weights(tmp_path), weights(undisturbed)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in mine.items())


def test_the_newest_and_the_best_stay(undisturbed: Path) -> None:
    newest = checkpoint.load_newest(undisturbed / "checkpoints")
    assert newest is not None and newest.best is not None
    history = read_lines(undisturbed / "history.jsonl")
    best = max(history, key=lambda record: (record["val_accuracy"], -record["val_loss"]))
    assert (newest.best.epoch, newest.best.accuracy) == (best["epoch"], best["val_accuracy"])
    kept = {path.name for path in checkpoint.list_steps(undisturbed / "checkpoints")}
    assert kept == {"step-00000024", "step-00000020", f"step-{newest.best.step:08d}"}
