"""What a step does to each layer, by hand, and the sentences for what goes wrong in silence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import training_world as world
from torch import nn

from striate.training import events, layer_watch
from striate.training.history import HistoryFile
from striate.training.layer_watch import LayerMove, LayerWatch
from striate.training.loop import fit
from striate.training.monitor import Silence, Units, watching


def test_norms_by_hand() -> None:
    module = nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 2, bias=False))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[3.0, 4.0]]))
        module[1].weight.zero_()
    watch = LayerWatch(module)
    watch.before()
    module[0].weight.grad = torch.tensor([[6.0, 8.0]])
    with torch.no_grad():
        module[0].weight.sub_(0.05 * module[0].weight.grad)
    first, second = watch.after()
    assert (first.name, first.gradient, first.update) == ("0", 10.0, 0.1)
    assert (second.name, second.gradient, second.update) == ("1", 0.0, None)
    assert LayerWatch(nn.ReLU()).after() == ()


def test_what_is_no_number_is_not_told() -> None:
    module = nn.Linear(1, 1)
    watch = LayerWatch(module)
    watch.before()
    module.weight.grad = torch.tensor([[torch.inf]])
    assert watch.after()[0].gradient is None


def test_a_layer_that_is_torn_apart_is_named() -> None:
    calm, wild = LayerMove("conv1", 1.0, 0.001), LayerMove("conv2", 9.0, 0.4)
    assert layer_watch.advice([calm, LayerMove("conv3", 1.0, None)]) is None
    said = layer_watch.advice([calm, wild])
    assert said is not None and said.startswith(
        "conv2: one step at the end of an epoch changes its weights by 40%"
    )


def test_silence_is_told_after_three_epochs_in_a_row() -> None:
    silence, dead, well = Silence(), Units("relu1", 64, 39), Units("relu1", 64, 3)
    assert [silence.advice([units]) for units in (dead, dead, well, dead, dead)] == [[]] * 5
    (said,) = silence.advice([dead])
    assert said.startswith("relu1: 61% of 64 ReLU channels have been silent for 3 epochs")
    assert silence.advice([dead]) == []


def test_saturated_units_are_seen() -> None:
    module = nn.Sequential(nn.Tanh(), nn.Sigmoid(), nn.ReLU())
    seen: list[Units] = []
    with watching(module, seen):
        module(torch.tensor([[-9.0, 0.0, 9.0, 9.0]]))
    assert [(units.place, units.dead, units.saturated) for units in seen] == [
        ("0", None, 0.75),
        ("1", None, 0.0),
        ("2", 0, None),
    ]
    (said,) = Silence().advice([Units("gate", 8, None, 0.95)])
    assert said.startswith("gate: 95% of its values stand at an end of the activation")


def test_a_saturated_layer_is_told_once() -> None:
    silence = Silence()
    told = [silence.advice([Units("gate", 8, None, share)]) for share in (0.95, 0.96, 0.5, 0.97)]
    assert [len(sentences) for sentences in told] == [1, 0, 0, 0]


@pytest.mark.parametrize("freeze", [None, "0"])
def test_every_epoch_has_its_line(freeze: str | None, tmp_path: Path) -> None:
    heard: list[Any] = []
    settings = replace(world.SETTINGS, epochs=2, freeze=freeze)
    listeners = [HistoryFile(tmp_path / "history.jsonl"), heard.append]
    fit(world.network(), world.Blobs(), world.Blobs(steps=1), settings, listeners)
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    ended = [event for event in heard if isinstance(event, events.EpochEnded)]
    assert len(lines) == len(ended) == 2
    for line, event in zip(lines, ended, strict=True):
        assert [move["name"] for move in line["moves"]] == ["0", "4", "7"]
        assert [units["place"] for units in line["units"]] == ["2", "5"]
        assert (event.moves[0].update == 0) is (freeze is not None)
        assert event.moves[2].gradient > 0 and event.moves[2].update > 0
