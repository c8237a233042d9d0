"""Several processes train as one does: the same losses, the same weights, every image counted once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import team_world as world
import torch
from safetensors.torch import load_file

from striate.training.team import Team


@pytest.mark.parametrize("processes", [2, pytest.param(4, marks=pytest.mark.long)])
def test_many_processes_train_as_one(processes: int, tmp_path: Path) -> None:
    ended = world.together(processes, world.__file__, str(tmp_path / "answers"))
    assert all(code == 0 for code, _ in ended), "\n".join(words for _, words in ended)
    assert all("Traceback" not in words and "Warning" not in words for _, words in ended), ended
    theirs = load_file(tmp_path / "answers")
    for name in world.TRAININGS:
        for key, tensor in world.train(name, Team()).items():
            other, about = theirs[f"{name}/{key}"], f"{name}, {key}"
            assert other.shape == tensor.shape, about
            # AdamW divides by the size of a gradient: where that is little but rounding, weights move apart
            most = 1e-5 if key in ("losses", "logits") else 5e-5
            np.testing.assert_allclose(other.double(), tensor.double(), rtol=1e-5, atol=most, err_msg=about)


def test_alone_nothing_is_told() -> None:
    team = Team()
    sums = torch.ones(3)
    team.add(sums)
    team.follow([sums])
    assert team.leads and team.own(7) == 7 and sums.tolist() == [1, 1, 1]
    assert team.any(True, False) == (True, False) and team.tell(lambda: {"a": 1}) == {"a": 1}
    module = torch.nn.Linear(1, 1)
    assert team.share(module, lambda forward: None) is module
