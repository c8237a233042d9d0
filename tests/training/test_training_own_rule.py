"""A network with a rule of its own is trained by that rule, with the events of every other training."""

import os
import signal
from pathlib import Path

import pytest
import torch
from torch import nn

from striate.errors import TrainingError
from striate.training import events
from striate.training.history import HistoryFile
from striate.training.own_rule import fit_by_own_rule, has_own_rule
from striate.training.settings import TrainSettings


class Means(nn.Module):
    """Learns the mean image of each of two classes; answers with the nearest."""

    def __init__(self) -> None:
        super().__init__()
        self.means = nn.Parameter(torch.zeros(2, 4))
        self.learnt = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -torch.cdist(x.flatten(1), self.means)

    def learn(self, images, labels, *, passes, on_progress):
        for done in range(passes):
            self.learnt += len(images)
            on_progress(done, passes)
        for k in range(2):
            self.means.data[k] = images[labels == k].flatten(1).mean(0)


class Two:
    """Four batches of eight images that are all 0 or all 1, as their labels say."""

    def __len__(self):
        return 4

    def epoch(self, epoch, start_step=0):
        labels = torch.tensor([0, 1] * 4)
        for _ in range(start_step, 4):
            yield labels.float().view(-1, 1, 1, 1).expand(-1, 1, 2, 2), labels


SETTINGS = TrainSettings(epochs=3, threads=1)


def test_only_a_module_with_learn_has_a_rule():
    assert has_own_rule(Means()) and not has_own_rule(nn.Linear(2, 2))


def test_events_history_and_checkpoint_are_those_of_a_training(tmp_path: Path):
    heard, told, module = [], [], Means()
    listeners = [HistoryFile(tmp_path / "history.jsonl"), heard.append]
    result = fit_by_own_rule(
        module, Two(), Two(), SETTINGS, listeners, tmp_path, on_progress=lambda *looks: told.append(looks)
    )
    assert [type(event) for event in heard] == [
        events.RunStarted,
        events.EpochEnded,
        events.CheckpointSaved,
        events.RunEnded,
    ]
    assert heard[1].epoch == 3 and heard[1].train_accuracy == heard[1].val_accuracy == 1
    assert (result.steps, result.interrupted, result.evaluation.accuracy) == (3, False, 1)
    assert result.checkpoint.exists() and len((tmp_path / "history.jsonl").read_text().splitlines()) == 1
    assert module.learnt == 3 * 32 and told == [(0, 3), (1, 3), (2, 3)]


def test_a_finished_training_is_not_learnt_again(tmp_path: Path):
    fit_by_own_rule(Means(), Two(), None, SETTINGS, folder=tmp_path)
    module = Means()
    result = fit_by_own_rule(module, Two(), None, SETTINGS, folder=tmp_path, resume=True)
    assert module.learnt == 0 and torch.equal(module.means, torch.tensor([[0.0] * 4, [1.0] * 4]))
    assert (result.steps, result.evaluation) == (3, None)


def test_ctrl_c_ends_it_and_it_begins_again(tmp_path: Path):
    heard, module = [], Means()
    result = fit_by_own_rule(
        module,
        Two(),
        None,
        SETTINGS,
        [heard.append],
        tmp_path,
        on_progress=lambda *_: os.kill(os.getpid(), signal.SIGINT),
    )
    assert result.interrupted and isinstance(heard[-1], events.Interrupted) and module.learnt == 32
    again = fit_by_own_rule(Means(), Two(), None, SETTINGS, folder=tmp_path, resume=True)
    assert not again.interrupted and again.steps == 3


def test_weights_that_are_no_numbers_are_an_error_and_leave_no_checkpoint(tmp_path: Path):
    class Broken(Means):
        def learn(self, images, labels, *, passes, on_progress):
            self.means.data[:] = torch.nan

    with pytest.raises(TrainingError, match="A weight is no longer a number"):
        fit_by_own_rule(Broken(), Two(), None, SETTINGS, folder=tmp_path)
    assert not list(tmp_path.iterdir())
