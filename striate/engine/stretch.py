"""Steps that run in one call: everything between two words that NumPy runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from striate.engine.stage import Outside
from striate.engine.steps import Step


@dataclass(frozen=True)
class Stretch:
    """Steps ``first`` to ``first + count - 1`` of the table, which run in one call; -1: what reads bytes."""

    first: int
    count: int


def stretches_of(steps: Sequence[Step | Outside]) -> list[Stretch | Outside]:
    """Runs of compiled steps, and the words between them."""
    found: list[Stretch | Outside] = []
    compiled = 0
    for step in steps:
        if isinstance(step, Outside):
            found.append(step)
            continue
        last = found[-1] if found else None
        if isinstance(last, Stretch):
            found[-1] = Stretch(last.first, last.count + 1)
        else:
            found.append(Stretch(compiled, 1))
        compiled += 1
    return found


def with_bytes(stretches: Sequence[Stretch | Outside]) -> list[Stretch | Outside]:
    """The same, after the step that makes the input of bytes."""
    first, rest = stretches[:1], stretches[1:]
    if first and isinstance(first[0], Stretch):
        return [Stretch(-1, first[0].count + 1), *rest]
    return [Stretch(-1, 1), *stretches]
