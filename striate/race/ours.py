"""striate itself, called as its users call it."""

from __future__ import annotations

from striate.engine import load
from striate.race.contestant import Answer, Entry


def prepare(entry: Entry) -> Answer:
    images, is_file = entry.images, entry.network.suffix.lower() == ".onnx"
    size = images.shape[1:] if is_file else None
    network = load(entry.network, threads=entry.threads, input=size, tune=entry.tune)
    return lambda: network(images)
