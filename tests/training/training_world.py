"""A small world to train in, for the tests of training."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

import striate
from striate.training.seeds import derive, seed_weights
from striate.training.settings import TrainSettings

SETTINGS = TrainSettings(
    epochs=4, batch_size=16, lr=0.01, seed=3, threads=1, ema_decay=0.9, grad_clip=5.0, precision="fp32"
)
STEPS = 6


class Blobs:
    """Batches of images (N, 1, 8, 8) with a bright row that is the label, plus noise of (epoch, step)."""

    def __init__(self, steps: int = STEPS, batch_size: int = 16) -> None:
        self.steps, self.batch_size = steps, batch_size
        self.drawn = 0

    def __len__(self) -> int:
        return self.steps

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        for step in range(start_step, self.steps):
            self.drawn += 1
            yield self.batch(epoch, step)

    def batch(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        source = torch.Generator().manual_seed(derive(7, epoch, step))
        labels = torch.randint(0, 4, (self.batch_size,), generator=source)
        images = torch.randn(self.batch_size, 1, 8, 8, generator=source)
        images[torch.arange(self.batch_size), 0, 2 * labels] += 2
        return images, labels


def as_a_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this Python with ``arguments``; it finds striate and this file, installed or not."""
    places = (str(Path(striate.__file__).parents[1]), str(Path(__file__).parent))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def network(seed: int = 3) -> nn.Sequential:
    """Everything that could make a resumed run differ: norm statistics, dropout, one input channel."""
    seed_weights(seed)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 64, 4),
    )
