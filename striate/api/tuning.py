"""``tune``: number format, layout and compiler, measured on some real steps; the fastest is written down.

What was chosen stands in settings.json like any other choice, beside what was measured: a run that is resumed
or repeated (``like``) measures nothing. The allocator is not among the alternatives: telling glibc to keep
freed memory, which training always does, cannot be taken back within a process.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any

from striate.api.pace import Pace, measure
from striate.api.stages import Progress
from striate.errors import ArgumentError

if TYPE_CHECKING:
    from torch import nn

    from striate.api.choices import Choice
    from striate.data.dataset import Dataset

STEPS = 6  # of each alternative in each of two rounds
WORTH_IT = 0.97  # an alternative must bring so much: less is noise, and the plainer one is kept
PLAIN = {
    "precision": "fp32",
    "memory_format": "contiguous",
    "compile": False,
}  # torch, if nobody says otherwise


@dataclass(frozen=True)
class Measured:
    """One alternative, in seconds; ``whole`` is the time of all steps of the run, ``start`` included."""

    precision: str
    memory_format: str
    compile: bool
    step: float
    start: float
    whole: float

    @property
    def name(self) -> str:
        """ "bf16 + channels_last + compile"."""
        return " + ".join([self.precision, self.memory_format, *(["compile"] if self.compile else [])])


def alternatives(given: Mapping[str, Any], device: str) -> list[dict[str, Any]]:
    """What is worth measuring on ``device``, the plainest first; what is ``given`` is settled."""
    from striate.training import compiler
    from striate.training.device import has_bf16, has_tf32

    precisions = ["fp32", *(["tf32"] if has_tf32(device) else []), *(["bf16"] if has_bf16(device) else [])]
    every: dict[str, list[Any]] = {
        "precision": precisions,
        "memory_format": ["contiguous", "channels_last"],
        "compile": [False] if compiler.missing(device) is not None else [False, True],
    }
    settled = {name: [given[name]] for name in every if given.get(name) not in (None, "auto")}
    every |= settled
    found = [dict(zip(every, values, strict=True)) for values in itertools.product(*every.values())]
    return sorted(found, key=lambda choice: bool(choice["compile"]))


def tune(
    chosen: Choice,
    given: Mapping[str, Any],
    build: Callable[[Choice], nn.Module],
    dataset: Dataset,
    on_progress: Progress = lambda done, total: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """Measure the alternatives in turn, twice; returns what settings.json keeps of it.

    The fastest is that with which the whole run is over first, so that a short one is not compiled. Raises
    ArgumentError for a network that learns by a rule of its own.
    """
    from striate.training.device import place
    from striate.training.own_rule import has_own_rule
    from striate.training.settings import TrainSettings

    if has_own_rule(build(chosen)):
        raise ArgumentError(
            "tune must be left out for a network that learns by a rule of its own, got "
            f"{chosen.network['name']}: it takes no steps that could be measured."
        )
    device = place(TrainSettings.from_json(chosen.settings)).device
    choices, paces = alternatives(given, device), {}
    rounds = [(number, index) for number in range(2) for index in range(len(choices))]
    for done, (number, index) in enumerate(rounds):
        on_progress(done, len(rounds))
        candidate = replace(chosen, settings={**chosen.settings, **choices[index]})
        pace = measure(build(candidate), dataset, candidate, STEPS, clock)
        paces[number, index] = pace
    on_progress(len(rounds), len(rounds))
    steps = int(chosen.settings["epochs"]) * max(1, len(dataset.train) // int(chosen.settings["batch_size"]))
    found = [
        _measured(choice, [paces[0, index], paces[1, index]], steps) for index, choice in enumerate(choices)
    ]
    best = found[0]
    for other in found[1:]:
        if other.whole < WORTH_IT * best.whole:
            best = other
    return {
        "settings": {name: getattr(best, name) for name in PLAIN},
        "steps": steps,
        "measured": [asdict(row) for row in found],
        "said": sentence(best, found),
    }


def _measured(choice: Mapping[str, Any], paces: list[Pace], steps: int) -> Measured:
    """The median of all steps; the start is the longer one, because what was compiled is kept."""
    step = median([seconds for pace in paces for seconds in pace.steps])
    start = max(pace.start for pace in paces)
    return Measured(
        **choice, step=round(step, 6), start=round(start, 3), whole=round(start + steps * step, 3)
    )


def sentence(best: Measured, found: list[Measured]) -> str:
    """What was chosen, and what it brings over the plainest."""
    plain = found[0]
    if best is plain:
        return (
            f"{best.name}: nothing else that was measured is faster here ({best.step * 1000:.3g} ms a step)."
        )
    return (
        f"{best.name}: {plain.step / best.step:.1f}x over {plain.name} here "
        f"({best.step * 1000:.3g} ms a step instead of {plain.step * 1000:.3g})."
    )
