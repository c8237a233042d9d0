"""striate itself, called as its users call it."""

from __future__ import annotations

from striate.engine import load
from striate.race.contestant import Answer, Entry


def prepare(entry: Entry) -> Answer:
    network, images = load(entry.network, threads=entry.threads), entry.images
    return lambda: network(images)
