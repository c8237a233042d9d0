"""A short training with everything that a resume could get wrong, and a process that can be killed in it.

python kill_world.py FOLDER KIND COUNT      dies by SIGKILL at the COUNT-th event of that KIND
"""

from __future__ import annotations

import os
import signal
import stat
import sys
from pathlib import Path
from typing import Any

import numpy as np
import training_world as world
from torch import nn

from striate.data.augment import Augmentation
from striate.data.batches import Batches
from striate.data.dataset import ImageSet
from striate.data.preprocess import Preprocessing
from striate.training.history import HistoryFile
from striate.training.loop import FitResult, fit
from striate.training.settings import TrainSettings

# Momentum of two kinds, a schedule, an average, clipping, shuffled and varied images, dropout, running
# statistics, a best epoch to remember, and checkpoints within the epochs of 6 steps.
SETTINGS = TrainSettings(
    epochs=4,
    batch_size=16,
    lr=0.01,
    seed=3,
    threads=1,
    schedule="one-cycle",
    ema_decay=0.9,
    grad_clip=5.0,
    precision="fp32",
    checkpoint_steps=4,
)
STEPS = 24
EVENTS = {"batch": 37, "fsync": 54, "cut": 54, "replace": 30}
"""How often each kind of event happens in a whole run: batches taken for training, validation and the look
at the data before; flushes and renames of 9 checkpoints and 4 lines of history."""


def train(folder: Path, *, resume: bool = False) -> tuple[nn.Module, FitResult]:
    """The run, or the rest of it. Checkpoints, history and everything else stand in ``folder``."""
    pictures = np.random.default_rng(5).integers(0, 200, (110, 8, 8, 1), dtype=np.uint8)
    labels = np.arange(110) % 4
    pictures[np.arange(110), 2 * labels] += 55
    images, how = ImageSet.of_arrays("train", pictures, labels), Preprocessing((8, 8), 1)
    varied = Augmentation(flip=True, shift=1, erase=2, scale_crop=(0.5, 1.0), brightness=0.1)
    module = world.network()
    result = fit(
        module,
        Batches(images, how, SETTINGS.batch_size, seed=3, shuffle=True, augmentation=varied),
        Batches(images, how, 60),
        SETTINGS,
        [HistoryFile(folder / "history.jsonl")],
        folder / "checkpoints",
        data="pictures",
        resume=resume,
    )
    return module, result


def die_at(kind: str, count: int) -> None:
    """Arrange for SIGKILL at the count-th batch, before the count-th fsync or rename, or, with "cut",
    at the count-th fsync with the end of the file not yet on the disk."""
    left = count

    def tick() -> bool:
        nonlocal left
        left -= 1
        return left == 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    sync, replace, batch = os.fsync, Path.replace, Batches._batch

    def fsync(descriptor: int) -> None:
        if tick():
            size = os.fstat(descriptor).st_size
            if kind == "cut" and stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.ftruncate(descriptor, size * 9 // 10)  # less than a line of history
            die()
        sync(descriptor)

    def rename(path: Path, target: Path) -> Path:
        if tick():
            die()
        return replace(path, target)

    def draw(batches: Batches, *place: Any) -> Any:
        if tick():
            die()
        return batch(batches, *place)

    if kind in ("fsync", "cut"):
        os.fsync = fsync
    elif kind == "replace":
        Path.replace = rename  # type: ignore[method-assign]
    else:
        Batches._batch = draw  # type: ignore[method-assign]


if __name__ == "__main__":
    die_at(sys.argv[2], int(sys.argv[3]))
    train(Path(sys.argv[1]), resume=True)
