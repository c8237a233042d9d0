"""In which number format a network is trained where nobody says: not every layer gains by bf16."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.training.settings import TrainSettings


def settled(settings: TrainSettings, model: str) -> TrainSettings:
    """float32 on a CPU for networks with depthwise convolutions: torch's are slower in bf16 (docs/log.md)."""
    from striate.training.device import has_bf16, place

    if settings.precision != "auto" or place(settings).device != "cpu" or not has_bf16("cpu"):
        return settings
    return replace(settings, precision="fp32") if _has_depthwise(model) else settings


def _has_depthwise(model: str) -> bool:
    """Whether a convolution of the network sees one channel for each of its outputs."""
    from torch import nn

    from striate.models import create
    from striate.models.probe import without_memory

    with without_memory():
        layers = create(model).modules()
        return any(isinstance(layer, nn.Conv2d) and 1 < layer.groups == layer.in_channels for layer in layers)
