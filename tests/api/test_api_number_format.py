"""The number format of a training that nobody chose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from striate.api import train
from striate.api.choices import Choice
from striate.api.likeness import choice_of
from striate.api.number_format import settled
from striate.runs import RunFolder
from striate.training import device
from striate.training.settings import TrainSettings


@pytest.mark.parametrize(
    ("model", "bf16", "asked", "expected"),
    [
        ("mobilenet_v2", True, {}, "fp32"),
        ("efficientnet_lite0", True, {}, "fp32"),
        ("mobilenet_v2", True, {"precision": "bf16"}, "bf16"),
        ("mobilenet_v2", False, {}, "auto"),
        ("resnet18", True, {}, "auto"),
        ("resnext50_32x4d", True, {}, "auto"),  # groups, but not of one channel
        ("lenet5", True, {}, "auto"),
    ],
)
def test_depthwise_convolutions_are_trained_in_float32(
    model: str, bf16: bool, asked: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "has_bf16", lambda kind: bf16)
    settings = TrainSettings(device="cpu", **asked)
    assert settled(settings, model).precision == expected


@pytest.fixture
def first(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A finished run of a network with depthwise convolutions, on a CPU with bf16."""
    monkeypatch.setattr(device, "has_bf16", lambda kind: True)
    asked: dict[str, Any] = {"model": "mobilenet_v2", "image_size": 32, "epochs": 1, "device": "cpu"}
    return RunFolder(train(pictures, run=tmp_path / "run", threads=1, **asked).path)


def test_a_format_that_nobody_asked_for_is_chosen_anew_on_another_device(
    first: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = json.loads(first.settings.read_text())
    assert written["settings"]["precision"] == "fp32" and written["unasked"] == ["precision"]
    again = RunFolder(train(like=first.path, run=tmp_path / "again").path)
    weights = [(run.bundle / "model.safetensors").read_bytes() for run in (first, again)]
    assert weights[0] == weights[1]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    def precision(like: RunFolder, **given: str) -> tuple[str, tuple[str, ...]]:
        found: Choice = choice_of(like, given)
        return found.settings["precision"], found.unasked

    for run in (first, again):  # a repetition knows it, too
        assert precision(run) == ("fp32", ("precision",))
        assert precision(run, device="cuda") == ("auto", ("precision",))
        assert precision(run, device="cuda", precision="fp32") == ("fp32", ())
    written["unasked"] = []  # asked for
    first.settings.write_text(json.dumps(written))
    assert precision(first, device="cuda") == ("fp32", ())


def test_what_a_gpu_was_given_is_chosen_anew_on_a_cpu(first: RunFolder) -> None:
    written = json.loads(first.settings.read_text())
    written["settings"] |= {"device": "auto", "precision": "auto"}
    written |= {"device": {"device": "cuda", "precision": "bf16"}, "unasked": []}
    first.settings.write_text(json.dumps(written))
    assert choice_of(first, {}).settings["precision"] == "fp32"
