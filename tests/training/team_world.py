"""Trainings that several processes share, and their answers as a file.

python team_world.py FILE           as one of the processes that RANK, WORLD_SIZE and so on name
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import training_world as world
from torch import nn

import striate
from striate.data.augment import Augmentation
from striate.data.batches import Batches
from striate.data.dataset import ImageSet
from striate.data.preprocess import Preprocessing
from striate.training import events
from striate.training.distributed import joined
from striate.training.loop import fit
from striate.training.seeds import seed_weights
from striate.training.settings import TrainSettings
from striate.training.team import Team

SETTINGS = TrainSettings(
    epochs=3, batch_size=16, lr=0.02, seed=3, threads=1, precision="fp32", ema_decay=0.8, grad_clip=1.0
)
# images, settings that differ, and whether the network normalises by the batch
TRAININGS: dict[str, tuple[int, dict[str, Any], bool]] = {
    "without batch norm": (50, {}, False),
    "batch norm of all": (50, {"sync_bn": True}, True),
    "batches that do not divide": (47, {"sync_bn": True, "batch_size": 15, "optimiser": "sgd"}, True),
    "fewer images than processes": (1, {"sync_bn": True}, True),
}


def network(normalised: bool) -> nn.Module:
    """No bias before a normalisation: its gradient is rounding alone, which AdamW would magnify."""
    seed_weights(3)
    norms = [nn.BatchNorm2d(8), nn.BatchNorm2d(8)] if normalised else [nn.Identity(), nn.Identity()]
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=not normalised),
        norms[0],
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1, bias=not normalised),
        norms[1],
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 16, 4),
    )


def train(name: str, team: Team) -> dict[str, Any]:
    """Losses after every step, accuracies and losses of the validation, and the final weights."""
    count, changes, normalised = TRAININGS[name]
    settings = replace(SETTINGS, **changes)
    pixels = np.random.default_rng(5).integers(0, 200, (count, 8, 8, 1), dtype=np.uint8)
    labels = np.arange(count) % 4
    pixels[np.arange(count), 2 * labels] += 55
    images, how = ImageSet.of_arrays("train", pixels, labels), Preprocessing((8, 8), 1)
    varied = Augmentation(flip=True, shift=1, erase=2, brightness=0.1)
    batches = Batches(
        images,
        how,
        settings.batch_size,
        seed=3,
        shuffle=True,
        augmentation=varied,
        part=(team.rank, team.size),
    )
    now, losses = 0.0, []

    def clock() -> float:
        nonlocal now
        now += 1.0
        return now

    def listen(event: events.Event) -> None:
        if isinstance(event, events.StepDone):
            losses.append(event.loss)
        elif isinstance(event, events.EpochEnded):
            losses.extend([event.val_loss, event.train_loss])

    module = network(normalised)
    result = fit(module, batches, Batches(images, how, 7), settings, [listen], team=team, clock=clock)
    assert result.evaluation is not None and result.evaluation.images == count
    return {
        "losses": torch.tensor(losses, dtype=torch.float64),
        "logits": torch.from_numpy(result.evaluation.logits),
        **{f"weights/{key}": tensor.clone() for key, tensor in module.state_dict().items()},
    }


def threads_of_gloo() -> int:
    """How many of them this process has; 0 where the system does not tell."""
    return sum("gloo" in name.read_text() for name in Path("/proc/self/task").glob("*/comm"))


def environments(processes: int) -> list[dict[str, str]]:
    """What torchrun tells each process, with a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    places = (str(Path(striate.__file__).parents[1]), str(Path(world.__file__).parent))
    shared = {**os.environ, "PYTHONPATH": os.pathsep.join(places), "MASTER_ADDR": "127.0.0.1"}
    shared |= {"MASTER_PORT": port, "WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
    return [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]


def together(processes: int, *arguments: str) -> list[tuple[int, str]]:
    """Run this Python in several processes of one team; each one's exit code and words on stderr."""
    started = [
        subprocess.Popen([sys.executable, *arguments], env=environment, stderr=subprocess.PIPE, text=True)
        for environment in environments(processes)
    ]
    said = [process.communicate(timeout=280)[1] for process in started]
    return [(process.returncode, words) for process, words in zip(started, said, strict=True)]


if __name__ == "__main__":
    from safetensors.torch import save_file

    with joined() as team:
        answers = {f"{name}/{key}": t for name in TRAININGS for key, t in train(name, team).items()}
    assert threads_of_gloo() == 0, "one that lets go of a tensor while Python ends aborts the process"
    if team.leads:
        save_file({key: tensor.contiguous() for key, tensor in answers.items()}, sys.argv[1])
