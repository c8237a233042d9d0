"""What a verb says while it works: frozen events, beside those of ``striate.training.events``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Listener = Callable[[Any], None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Stage:
    """Work on ``what`` has come to ``done`` of ``total`` (images, files). The first has done = 0."""

    what: str
    done: int
    total: int


@dataclass(frozen=True)
class Noted:
    """A sentence that the user should read: a choice that was made, a file that was left out."""

    message: str


def tell(listeners: Sequence[Listener], event: Any) -> None:
    for listener in listeners:
        listener(event)


def stage(listeners: Sequence[Listener], what: str) -> Progress:
    """A ``(done, total)`` callback that tells the listeners."""
    return lambda done, total: tell(listeners, Stage(what, done, total))
