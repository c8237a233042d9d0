"""Damaged bundles, also with seals that fit: a clear refusal, never a traceback or much memory."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate import ops
from striate.bundle import SEALED, Bundle, read_bundle, write_bundle
from striate.errors import StriateError
from striate.graph import Graph, Node

MOST_MEMORY = 2**27  # bytes that reading a folder of some kilobytes may take
HURTS: tuple[Any, ...] = (
    0,
    -1,
    2**31,
    2**60,
    1e308,
    None,
    True,
    "",
    "x",
    "N",
    [],
    [[]],
    {},
    "Infinity",
    "../..",
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "bundle"
    write_sound(path)
    return path


def write_sound(path: Path) -> None:
    rng = np.random.default_rng(0)
    nodes = (
        Node("conv", ops.Conv2d(1, 4, 3, padding=1), ("x",), {"weight": "conv.weight", "bias": "conv.bias"}),
        Node("pool", ops.MaxPool2d(2), ("conv",)),
        Node("flat", ops.Flatten(), ("pool",)),
        Node("fc", ops.Linear(64, 3), ("flat",), {"weight": "fc.weight", "bias": "fc.bias"}),
    )
    shapes = {"conv.weight": (4, 1, 3, 3), "conv.bias": (4,), "fc.weight": (3, 64), "fc.bias": (3,)}
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    graph = Graph({"x": ("N", 1, 8, 8)}, nodes, ("fc",))
    write_bundle(
        path, Bundle(graph=graph, weights=weights, labels=("a", "b", "c"), preprocessing={}, card={})
    )


def damage(rng: random.Random, folder: Path) -> None:
    name = rng.choice(["graph.json", "graph.json", "model.safetensors", "card.json", "labels.json"])
    file = folder / name
    content = bytearray(file.read_bytes())
    kind = rng.randrange(4)
    if kind == 0:
        del content[rng.randrange(len(content)) :]
    elif kind == 1:
        for _ in range(rng.choice((1, 2, 8))):
            content[rng.randrange(len(content))] = rng.randrange(256)
    elif name == "model.safetensors":
        size = rng.choice((0, 2**32, 2**62, 2**64 - 1, len(content), len(content) * 2))
        content[:8] = size.to_bytes(8, "little")
    else:
        record = json.loads(content)
        spoil(rng, record)
        content = bytearray(json.dumps(record).encode())
    file.write_bytes(bytes(content))
    if rng.random() < 0.8:
        seal(folder)


def spoil(rng: random.Random, record: Any) -> None:
    """Some value of the record, at any depth, becomes one that hurts."""
    while True:
        keys = list(record) if isinstance(record, dict) else list(range(len(record)))
        if not keys:
            return
        key = rng.choice(keys)
        if not isinstance(record[key], (dict, list)) or rng.random() < 0.2:
            record[key] = rng.choice(HURTS)
            return
        record = record[key]


def seal(folder: Path) -> None:
    """As an attacker would: the damaged files' own hashes."""
    try:
        card = json.loads((folder / "card.json").read_bytes())
        card["sha256"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in SEALED}
        (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    except (ValueError, TypeError):
        return  # the card itself is damaged


def survives(folder: Path) -> str:
    from striate.engine import Network

    tracemalloc.start()
    try:
        bundle = read_bundle(folder)
        Network(bundle, threads=1)
        outcome = "read"
    except StriateError as error:
        outcome = "refused"
        assert len(str(error)) > 20
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < MOST_MEMORY, f"{peak} bytes"
    return outcome


def search(sound: Path, target: Path, seeds: range) -> Counter[str]:
    found: Counter[str] = Counter()
    for seed in seeds:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(sound, target)
        damage(random.Random(seed), target)
        try:
            found[survives(target)] += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
    return found


def test_damaged_bundles(sound: Path, tmp_path: Path) -> None:
    found = search(sound, tmp_path / "bundle", range(300))
    assert found["refused"] > 150


@pytest.mark.long
def test_many_damaged_bundles(sound: Path, tmp_path: Path) -> None:
    found = search(sound, tmp_path / "bundle", range(1_000, 11_000))
    assert found["refused"] > 5_000
