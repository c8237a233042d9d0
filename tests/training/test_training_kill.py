"""A training that is killed at any point and resumed ends with the same weights, bit for bit."""

from __future__ import annotations

import random
import shutil
import signal
from pathlib import Path

import pytest
import torch
import training_world as world

from striate.runs import read_lines

# In one whole run: batches drawn in training and evaluation, and the calls of four checkpoints with history.
POINTS = {"batch": 36, "fsync": 24, "cut": 24, "replace": 12}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The weights of a run that nobody disturbed."""
    module, _ = world.train(tmp_path_factory.mktemp("whole"))
    return module.state_dict()


def kill_and_resume(folder: Path, points: list[tuple[str, int]], whole: dict[str, torch.Tensor]) -> None:
    for point in points:
        done = world.as_a_process(world.__file__, str(folder), point[0], str(point[1]))
        may_be_done = {0} if point is not points[0] else set()  # what the first kill left may be little
        assert done.returncode in {-signal.SIGKILL} | may_be_done, done.stderr
    module, result = world.train(folder, resume=True)
    assert result.steps == world.SETTINGS.epochs * world.STEPS
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, whole[name]), name
    epochs = [record["epoch"] for record in read_lines(folder / "history.jsonl")]
    assert epochs == [1, 2, 3, 4]


@pytest.mark.parametrize("point", [("batch", 17), ("cut", 9), ("replace", 9)], ids=str)
def test_killed_once(point: tuple[str, int], tmp_path: Path, whole: dict[str, torch.Tensor]) -> None:
    """Between two steps; in the second checkpoint with a file cut short; before the rename of the third."""
    kill_and_resume(tmp_path, [point], whole)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(30))
def test_killed_at_random_points(seed: int, tmp_path: Path, whole: dict[str, torch.Tensor]) -> None:
    """The first kill is anywhere, the second soon after the resume."""
    draw = random.Random(seed)
    kind = draw.choice(sorted(POINTS))
    kill_and_resume(tmp_path, [(kind, draw.randint(1, POINTS[kind])), ("batch", draw.randint(1, 3))], whole)


@pytest.mark.parametrize("file", ["state.safetensors", "checkpoint.json"])
@pytest.mark.parametrize("harm", ["cut", "changed", "gone"])
def test_a_damaged_checkpoint_is_passed_over(
    file: str, harm: str, tmp_path: Path, whole: dict[str, torch.Tensor]
) -> None:
    module, result = world.train(tmp_path)
    assert result.checkpoint is not None
    target = result.checkpoint / file
    content = target.read_bytes()
    if harm == "cut":
        target.write_bytes(content[: len(content) // 2])
    elif harm == "changed":
        place = content.rindex(b'"step_in_epoch": 0') + 17 if file.endswith("json") else len(content) - 5
        target.write_bytes(content[:place] + b"1" + content[place + 1 :])
    else:
        shutil.move(target, tmp_path / "elsewhere")
    module, result = world.train(tmp_path, resume=True)
    assert all(torch.equal(t, whole[name]) for name, t in module.state_dict().items())
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2
