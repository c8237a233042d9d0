"""As many epochs as fit into a time, planned once, written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate import api
from striate.api import budget
from striate.api.budget import epochs_within, seconds_of
from striate.api.choices import Choice
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


@pytest.mark.parametrize(
    ("steps", "planned"),
    [
        ({"small": 10.0, "large": 20.0}, {"model": "large", "epochs": 27}),
        ({"small": 10.0, "large": 50.0}, {"epochs": 55}),  # eleven epochs are too few for it
        ({"small": 50.0, "large": 50.0}, {"epochs": 11}),
    ],
)
def test_a_long_time_goes_to_the_larger_network(
    steps: dict[str, float], planned: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = open_dataset("fashion-mini")

    def choose(model: str | None, epochs: int | None) -> Choice:
        settings = {"batch_size": len(dataset.train), "test_time_mirror": False}
        return Choice({"name": model or "small"}, settings, {})

    def pace(module: str, *rest: object, **named: object) -> Pace:
        return Pace(steps=(steps[module],), image=0.0, start=0.0)

    monkeypatch.setattr(budget, "measure", pace)

    def build(chosen: Choice) -> Any:
        return chosen.network["name"]

    found = budget.plan(choose, build, dataset, 600, "large", clock=lambda: 0.0)
    assert found.items() >= planned.items() and ("model" in found) == ("model" in planned)
    alone = budget.plan(choose, build, dataset, 600, clock=lambda: 0.0)
    assert alone["epochs"] == int((600 - 0.035 * 600) / (1.05 * steps["small"])) and "model" not in alone


def test_who_is_not_asked_may_get_the_larger_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a run, which says so and keeps it."""
    monkeypatch.setattr(budget, "measure", lambda *given, **named: Pace(steps=(10.0,), image=0.0, start=0.0))
    monkeypatch.setattr("striate.training.recipe._AUGMENT_FROM_EPOCHS", 1)
    pixels, labels = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8), np.arange(20) % 2
    np.savez(tmp_path / "set.npz", x_train=pixels, y_train=labels, x_test=pixels[:4], y_test=labels[:4])
    heard: list[str] = []

    def trained(run: str, **more: str) -> dict[str, Any]:
        done = api.train(
            tmp_path / "set.npz",
            run=tmp_path / run,
            budget="4m",
            threads=1,
            listeners=[lambda event: heard.append(getattr(event, "message", ""))],
            **more,
        )
        written: dict[str, Any] = json.loads((done.path / "settings.json").read_text())
        return written

    unasked, named = trained("unasked"), trained("named", model="striate_base")
    assert unasked["model"]["name"] == unasked["budget"]["model"] == "striate_large"
    assert named["model"]["name"] == "striate_base" and "model" not in named["budget"]
    epochs = unasked["settings"]["epochs"]
    assert f"{epochs} epochs of striate_large are planned into the 240 s." in heard
    assert f"{epochs} epochs are planned into the 240 s." in heard


def test_epochs_and_budget_contradict_each_other(pictures: Path) -> None:
    with pytest.raises(ArgumentError, match="only one of both can be given, got 10m and 3 epochs"):
        api.train(pictures, budget="10m", epochs=3)
