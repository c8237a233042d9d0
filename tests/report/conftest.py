"""A run folder as training leaves it, made from seeded noise: the report reads files, so files are enough."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from striate.graph import Graph, Node
from striate.graph.store import graph_to_json
from striate.insight import Predictions, write_filters, write_mistakes
from striate.ops import Conv2d, Flatten, Linear, MaxPool2d, ReLU
from striate.runs import FORMAT, RunFolder, append_line, write_json

SETTINGS = {"epochs": 4, "batch_size": 128, "lr": 0.01, "seed": 7, "threads": None, "schedule": "linear"}
MACHINE = {"system": "Linux 6.1 x86_64", "processor": "A Processor", "cores": 2, "python": "3.11.2"}


class MakeRun(Protocol):
    def __call__(
        self, path: Path, classes: tuple[str, ...] = ..., size: int = ..., channels: int = ...
    ) -> RunFolder: ...


@pytest.fixture
def make_run() -> MakeRun:
    return _make_run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A finished run of ten classes at runs/try-1, named by its path from the working folder."""
    monkeypatch.chdir(tmp_path)
    return _make_run(Path("runs/try-1"))


def _make_run(
    path: Path,
    classes: tuple[str, ...] = tuple(f"class {k}" for k in range(10)),
    size: int = 28,
    channels: int = 1,
) -> RunFolder:
    path.mkdir(parents=True)
    folder, random, images = RunFolder(path), np.random.default_rng(0), 40 * len(classes)
    labels = np.arange(images) % len(classes)
    logits = 2 * random.normal(size=(images, len(classes))) + 4 * np.eye(len(classes))[labels]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    keys = tuple(f"test/{k:05d}.png" for k in range(images))
    predictions = Predictions("test", classes, keys, labels, p)
    pixels = random.integers(0, 256, (images, size, size, channels), dtype=np.uint8)
    _write_before(folder, classes, size, channels)
    write_mistakes(folder, predictions, pixels)
    write_filters(folder, "conv1", random.normal(size=(6, channels, 5, 5)))
    result = {
        "accuracy": predictions.accuracy(),
        "top5": predictions.accuracy(5),
        "loss": 0.5,
        "split": "test",
        "images": images,
        "seconds": 81.4,
        "epochs": 4,
        "striate": "0.1.0",
        "torch": "2.13.0",
        "machine": MACHINE,
    }
    write_json(folder.result, result)
    return folder


def _write_before(folder: RunFolder, classes: tuple[str, ...], size: int, channels: int) -> None:
    """What stands in the folder before the last epoch is over."""
    counted = {"images": 100 * len(classes), "per_class": [100] * len(classes)}
    settings = {
        "format": FORMAT,
        "striate": "0.1.0",
        "command": "striate train photos --epochs 4 --seed 7",
        "settings": SETTINGS,
        "model": {"name": "lenet5", "classes": len(classes), "image_size": [size, size]},
        "data": "photos",
        "device": {"device": "cpu", "precision": "fp32"},
        "machine": MACHINE,
    }
    data = {
        "source": "photos",
        "fingerprint": "0123abcd",
        "classes": list(classes),
        "channels": channels,
        "image_size": [size, size],
        "splits": {"train": counted, "val": None, "test": counted},
        "notes": ["Hidden folder .thumbnails was left out."],
        "preprocessing": {"image_size": [size, size], "resize": "stretch", "mean": [0.5], "std": [0.25]},
    }
    write_json(folder.settings, settings)
    write_json(folder.data, data)
    write_json(folder.network, graph_to_json(_network(size, channels, len(classes))))
    for epoch in range(1, 5):
        record = {
            "epoch": epoch,
            "step": 8 * epoch,
            "lr": 0.01 * (4 - epoch) / 4,
            "train_loss": 1.5 / epoch,
            "train_accuracy": 0.9 - 0.3 / epoch,
            "val_loss": 1.7 / epoch,
            "val_accuracy": 0.88 - 0.3 / epoch,
            "images_per_second": 12345.6,
            "data_wait_share": 0.02,
            "seconds": 20.0,
            "dead_relu_share": None,
        }
        append_line(folder.history, record)


def _network(size: int, channels: int, classes: int) -> Graph:
    weights = {"weight": "conv1.weight", "bias": "conv1.bias"}
    nodes = (
        Node("conv1", Conv2d(channels, 6, 5, padding=2), ("x",), weights),
        Node("act", ReLU(), ("conv1",)),
        Node("pool", MaxPool2d(2), ("act",)),
        Node("flat", Flatten(), ("pool",)),
        Node(
            "fc", Linear(6 * (size // 2) ** 2, classes), ("flat",), {"weight": "fc.weight", "bias": "fc.bias"}
        ),
    )
    return Graph({"x": ("N", channels, size, size)}, nodes, ("fc",))
