"""Measured choices: the forms of a stage run in turns on this machine, and the fastest is remembered.

Between two turns as much memory passes through the caches as in a call of the whole network, and what the
stage reads is at hand again, as it would be. A form that is far behind is not run again. The cost model's
form stays where no other is faster by more than measurements differ. What was chosen lies beside the object
code, named after all the forms, the number of threads, the processor and our source.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from time import perf_counter

import numpy as np

from striate.engine import cache
from striate.engine.choose import Form, Part
from striate.engine.memory import allocate, lines
from striate.engine.program import Program
from striate.engine.ready import code_of
from striate.engine.steps import Plan, Step
from striate.engine.target import Target

ROUNDS = 9
DROPPED = 1.3  # times the fastest, after a third of the rounds: such a form is not run again
GAIN = 0.97  # of the time of the model's form: what is not below it is no gain
PASSING = 2**21, 2**23  # bytes, least and most, that pass through the caches between two turns
Times = Callable[[Sequence[Form], Target, int, int], list[float]]


class Measured:
    """A tuner. ``weights``: bytes of the whole network's weights. ``times``: see ``in_turns``."""

    def __init__(self, target: Target, threads: int, weights: int = 0, times: Times | None = None) -> None:
        self._target, self._threads, self._times = target, threads, times or in_turns
        size = min(max(PASSING[0], weights), PASSING[1])
        self._passing = 2 ** (size - 1).bit_length()
        self._known: dict[tuple[str, ...], int] = {}

    def prepare(self, stages: Sequence[Sequence[Form]]) -> None:
        """Make all code that will be measured, together; what is remembered is not measured again."""
        asked = [forms for forms in stages if len(forms) > 1 and self._recall(forms) is None]
        code_of([part.kernel for forms in asked for form in forms for part in form.parts], self._target)  # type: ignore[misc]

    def best(self, forms: Sequence[Form]) -> int:
        found = self._recall(forms)
        return self._measure(forms) if found is None else found

    def _recall(self, forms: Sequence[Form]) -> int | None:
        names = tuple(form.name for form in forms)
        if names not in self._known:
            try:
                said = json.loads(cache.read(self._name(names)) or b"")
                self._known[names] = names.index(said["fastest"])
            except (ValueError, KeyError, TypeError):  # nothing, or nothing that we wrote
                return None
        return self._known[names]

    def _measure(self, forms: Sequence[Form]) -> int:
        names = tuple(form.name for form in forms)
        seconds = self._times(forms, self._target, self._threads, self._passing)
        number = min(range(len(forms)), key=seconds.__getitem__)
        number = number if seconds[number] < GAIN * seconds[0] else 0
        self._known[names] = number
        content = {"fastest": names[number], "seconds": dict(zip(names, seconds, strict=True))}
        cache.write(self._name(names), json.dumps(content).encode())
        return number

    def _name(self, names: Sequence[str]) -> str:
        return cache.key(f"choice {self._threads} {self._passing} {' '.join(names)}", self._target)


def in_turns(forms: Sequence[Form], target: Target, threads: int, passing: int) -> list[float]:
    """The least seconds of each form, for one image; ``passing``: bytes between two turns."""
    programs = [_program(form, target, threads) for form in forms]
    others = allocate(passing // 4)
    best = [float("inf")] * len(forms)
    for turn in range(ROUNDS):
        for number, program in enumerate(programs):
            if turn >= ROUNDS // 3 and best[number] > DROPPED * min(best):
                continue
            others.max()
            for operand, root in forms[number].parts[0].values.items():
                if operand != "target":
                    program.touch(root)
            start = perf_counter()
            program.turn()
            best[number] = min(best[number], perf_counter() - start)
    return best


def _program(form: Form, target: Target, threads: int) -> Program:
    """The form alone, on numbers that are all alike: kernels take as long for any finite ones."""
    sizes: dict[str, int] = {}
    steps = []
    for part in form.parts:
        constants = {o.name: np.full(o.size, 0.1, np.float32) for o in part.kernel.operands if o.shared}
        values = dict(part.values) | {o: part.values.get(o, o) for o in part.memory}
        steps.append(Step(Part(part.kernel, values, constants, wait=part.wait), ()))
        sizes |= {values[o.name]: o.size for o in part.kernel.operands if not o.shared}
    places, at = {}, 0
    for name, size in sizes.items():
        places[name], at = at, at + lines(size)
    return Program(Plan(tuple(steps), {}, {}, {}, sizes, places, at, {}, (), ()), target, threads)
