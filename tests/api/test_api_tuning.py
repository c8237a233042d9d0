"""``tune``: measured once, in turns; what is fastest for the whole run is written down and kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from striate import api
from striate.api import tuning
from striate.api.pace import Pace
from striate.errors import ArgumentError
from striate.training import compiler, device


class Machine:
    """Steps as long as this machine would take: channels_last 0.6, compiled 0.5 after 100 s, of 1 s."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def __call__(self, module: Any, dataset: Any, chosen: Any, steps: int, clock: Any) -> Pace:
        self.asked.append(chosen.settings)
        step = 0.6 if chosen.settings["memory_format"] == "channels_last" else 1.0
        step *= 0.5 if chosen.settings["compile"] else 1.0
        return Pace((step,) * 3, 0.01, 100.0 if chosen.settings["compile"] else 2 * step)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(tuning, "measure", made)
    monkeypatch.setattr(compiler, "missing", lambda device: None)
    monkeypatch.setattr(device, "has_bf16", lambda device: False)
    return made


def test_the_choice_is_written_down_and_said_and_not_made_again(
    machine: Machine, pictures: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    run = api.train(
        pictures, run=tmp_path / "run", epochs=1, threads=1, tune=True, model="lenet5",
        listeners=[lambda event: said.append(str(getattr(event, "message", "")))],
    )  # fmt: skip
    assert "fp32 + channels_last: 1.7x over fp32 + contiguous here (600 ms a step instead of 1e+03)." in said
    written = json.loads((run.path / "settings.json").read_text())
    assert written["settings"]["memory_format"] == "channels_last" and written["settings"]["compile"] is False
    assert written["settings"]["precision"] == written["device"]["precision"] == "fp32"
    assert [row["step"] for row in written["tuned"]["measured"]] == [1.0, 0.6, 0.5, 0.3]
    assert len(machine.asked) == 8
    again = api.train(like=run.path, run=tmp_path / "again")
    assert len(machine.asked) == 8
    assert (again.path / "bundle/model.safetensors").read_bytes() == (
        run.path / "bundle/model.safetensors"
    ).read_bytes()


def test_a_long_run_is_worth_a_compiler_and_what_was_given_is_kept(machine: Machine, pictures: Path) -> None:
    from striate.api.choices import choose
    from striate.api.start import start_from
    from striate.data.catalogue import open_dataset

    dataset = open_dataset(pictures)
    start = start_from("lenet5", None, keep_size=False).settled(dataset.image_size)
    for given, wanted, measured in (
        ({"epochs": 200}, ("channels_last", True), 8),
        ({"epochs": 200, "memory_format": "contiguous"}, ("contiguous", True), 4),
        ({"epochs": 200, "compile": False, "precision": "fp32"}, ("channels_last", False), 4),
    ):
        machine.asked.clear()
        found = tuning.tune(choose(dataset, start, given, None), given, lambda chosen: None, dataset)  # type: ignore[arg-type, return-value]
        assert (found["settings"]["memory_format"], found["settings"]["compile"]) == wanted
        assert len(machine.asked) == measured


def test_a_gain_of_two_percent_is_noise() -> None:
    plain = tuning.Measured("fp32", "contiguous", False, step=1.0, start=0.0, whole=100.0)
    assert tuning.sentence(plain, [plain]).startswith(
        "fp32 + contiguous: nothing else that was measured is faster"
    )
    assert tuning.WORTH_IT == 0.97


def test_refusals(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="tune must be left out with like"):
        api.train(like=tmp_path, tune=True)
    with pytest.raises(
        ArgumentError, match="tune must be left out for a network that learns by a rule of its own"
    ):
        api.train(pictures, model="neocognitron", image_size=16, tune=True)
