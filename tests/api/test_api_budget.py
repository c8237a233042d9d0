"""As many epochs as fit into a time, planned once, written down."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from striate import api
from striate.api import budget
from striate.api.budget import epochs_within, seconds_of
from striate.api.pace import Pace, measure
from striate.data.catalogue import open_dataset
from striate.errors import ArgumentError


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5M", 90), (7.5, 7.5)]
)
def test_times_as_people_write_them(text: str | float, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "10 minutes", "-5m", "0", "1d", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="budget must be a time such as 90s, 10m or 1h30m, got"):
        seconds_of(text)


def test_epochs_by_hand(pictures: Path) -> None:
    """16 or so images of 20 in steps of 4, 5% slower than measured; 3.5% and the last evaluation are kept."""
    dataset = open_dataset(pictures)
    train, val = len(dataset.train), len(dataset.val or ())
    pace = Pace(steps=(1.0,), image=0.5, start=0.0)
    epoch, after = 1.05 * (train // 4 * 1.0 + val * 0.5), 2 * val * 0.5 + 3.5
    assert epochs_within(100, pace, dataset, 4) == int((100 - after) / epoch)
    assert epochs_within(1e6, pace, dataset, 4) == 300
    with pytest.raises(ArgumentError, match="budget must be time enough for one epoch, which is about"):
        epochs_within(3, pace, dataset, 4)


def test_a_pace_is_measured_and_the_network_is_left_alone(pictures: Path, tmp_path: Path) -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1.0
        return now

    from striate.api.carrying import build
    from striate.api.choices import choose
    from striate.api.start import start_from

    dataset = open_dataset(pictures)
    start = start_from("auto", None, keep_size=False).settled(dataset.image_size)
    chosen = choose(dataset, start, {"threads": 1}, None)
    module = build(chosen.network, 0)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    pace = measure(module, dataset, chosen, 3, clock)
    assert pace.steps == (1.0, 1.0, 1.0) and pace.start == 2.0 and pace.image > 0
    for name, tensor in module.state_dict().items():
        assert np.array_equal(before[name].numpy(), tensor.numpy()), name


def test_the_plan_is_written_down_and_kept(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "measure", lambda *given, **named: Pace(steps=(100.0,), image=0.0, start=0.0))
    run = api.train(pictures, run=tmp_path / "run", budget="10m", threads=1)
    written = json.loads((run.path / "settings.json").read_text())
    planned = written["budget"]
    assert planned["seconds"] == 600 and planned["seconds_per_step"] == 100.0
    assert run.result["epochs"] == written["settings"]["epochs"] == planned["epochs"] == 1


def test_epochs_and_budget_contradict_each_other(pictures: Path) -> None:
    with pytest.raises(ArgumentError, match="only one of both can be given, got 10m and 3 epochs"):
        api.train(pictures, budget="10m", epochs=3)
