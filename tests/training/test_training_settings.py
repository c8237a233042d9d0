"""Settings refuse what breaks a rule, in one sentence, and survive a trip through JSON."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from typing import Any

import pytest

from striate.errors import ArgumentError
from striate.training.settings import NOT_PART_OF_THE_RESULT, TrainSettings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0: give for example epochs=1."),
        ({"epochs": 2.5}, "epochs must be a whole number of at least 1, got 2.5: "),
        ({"batch_size": True}, "batch_size must be a whole number of at least 1, got True: "),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1: "),
        ({"threads": 0}, "threads must be a whole number of at least 1, got 0: "),
        ({"lr": 0}, "lr must be a number above 0, got 0: leave it out for 0.01."),
        ({"lr": math.nan}, "lr must be a number above 0, got nan: "),
        ({"lr": math.inf}, "lr must be a number above 0, got inf: "),
        ({"lr": "high"}, "lr must be a number above 0, got 'high': "),
        ({"weight_decay": -0.1}, "weight_decay must be a number at least 0, got -0.1: "),
        ({"momentum": 1.0}, "momentum must be a number at least 0 and below 1, got 1.0: "),
        ({"label_smoothing": 1}, "label_smoothing must be a number at least 0 and below 1, got 1: "),
        ({"warmup": 1.0}, "warmup must be a number at least 0 and below 1, got 1.0: leave it out for 0.1."),
        ({"end_factor": 2}, "end_factor must be a number at least 0 and at most 1, got 2: "),
        ({"grad_clip": 0}, "grad_clip must be a number above 0, got 0: leave it out for none."),
        ({"ema_decay": 1.0}, "ema_decay must be a number above 0 and below 1, got 1.0: "),
        ({"checkpoint_steps": 0}, "checkpoint_steps must be a whole number of at least 1, got 0: "),
        ({"checkpoints_kept": 1}, "checkpoints_kept must be a whole number of at least 2, got 1: "),
        ({"checkpoint_minutes": 0}, "checkpoint_minutes must be a number above 0, got 0: "),
        (
            {"optimiser": "adam"},
            "optimiser must be one of adamw, sgd, muon, lamb, got 'adam': did you mean adamw?",
        ),
        ({"schedule": "steps"}, "schedule must be one of linear, cosine, one-cycle, step, got 'steps': did"),
        (
            {"drops": (0.5, 0.5)},
            "drops must be shares of the training between 0 and 1, rising, got (0.5, 0.5)",
        ),
        ({"drops": 0.5}, "drops must be shares of the training between 0 and 1, rising, got 0.5: give for"),
        ({"accumulate": 0}, "accumulate must be a whole number of at least 1, got 0: "),
        ({"precision": "fp16"}, "precision must be one of auto, fp32, tf32, bf16, got 'fp16': did you mean"),
        ({"device": "tpu"}, "device must be one of auto, cpu, cuda, got 'tpu': did you mean cpu?"),
        (
            {"memory_format": "nhwc"},
            "memory_format must be one of auto, contiguous, channels_last, got",
        ),
        ({"freeze_batch_norm": 1}, "freeze_batch_norm must be True or False, got 1: give one of them."),
        ({"freeze": 3}, "freeze must be names with commas between, got 3: "),
        ({"first_layer_lr": 0}, "first_layer_lr must be a number above 0 and at most 1, got 0: "),
    ],
    ids=str,
)
def test_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        TrainSettings(**changes)
    assert str(caught.value).startswith(message)


def test_json_and_back() -> None:
    settings = TrainSettings(epochs=3, lr=0.1, optimiser="sgd", grad_clip=1.0, threads=2)
    assert TrainSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    assert TrainSettings.from_json({}) == TrainSettings()


def test_an_unknown_setting_suggests_the_nearest() -> None:
    with pytest.raises(ArgumentError, match="A training has no setting 'epoch': did you mean epochs"):
        TrainSettings.from_json({"epoch": 3})


def test_only_where_and_when_leave_the_fingerprint_alone() -> None:
    settings = TrainSettings()
    other: dict[str, Any] = {
        "optimiser": "sgd",
        "schedule": "cosine",
        "device": "cpu",
        "precision": "fp32",
        "memory_format": "contiguous",
        "convolutions": "torch",
        "grad_clip": 2.0,
        "ema_decay": 0.5,
        "threads": 5,
        "checkpoint_steps": 7,
        "balance": "loss",
        "freeze": "body",
        "drops": (0.3,),
        "patience": 4,
    }
    for field in fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, bool):
            other[field.name] = not value
        number = value / 2 if isinstance(value, float) and value else 0.5
        changed = other.get(field.name, value + 1 if isinstance(value, int) else number)
        differs = replace(settings, **{field.name: changed}).fingerprint() != settings.fingerprint()
        assert differs is (field.name not in NOT_PART_OF_THE_RESULT), field.name
