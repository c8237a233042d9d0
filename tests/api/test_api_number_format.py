"""The number format of a training that nobody chose."""

from __future__ import annotations

from typing import Any

import pytest

from striate.api.number_format import settled
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
