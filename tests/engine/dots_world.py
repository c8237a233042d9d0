"""Products of bf16 asked for by hand, and what they are compared with.

On a machine without AVX512_BF16 plans are made for one that has it, and their machine code is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from engine_world import random_inputs, random_weights, relative_error

from striate.engine.choose import Form, Settings
from striate.engine.kernels.storage import DOTS, nearest
from striate.engine.machine_code import assembly
from striate.engine.plan import Step, make_plan
from striate.engine.program import Program
from striate.engine.target import LEVELS, host
from striate.graph.graph import Graph
from striate.reference import run

WITH = replace(LEVELS["avx512"], features="-prefer-256-bit,+avx512bf16", dots=True)
MACHINE = host() if host().dots else WITH  # what plans are made for; only the host's can be executed
INSTRUCTION = "vdpbf16ps"


class Forced:
    """A tuner that takes the last form with products of bf16 of the family, whatever it costs; else none."""

    def __init__(self, family: str) -> None:
        self.family = family

    def prepare(self, stages: Sequence[Sequence[Form]]) -> None: ...

    def best(self, forms: Sequence[Form]) -> int:
        wanted = [number for number, form in enumerate(forms) if self.family in dotted(form)]
        return wanted[-1] if wanted else [dotted(form) for form in forms].index([])


def dotted(form: Form) -> list[str]:
    """Families of a form's kernels with such products."""
    return [part.kernel.family for part in form.parts if part.kernel.storage == DOTS.name]


def compare(
    graph: Graph, family: str, images: int = 1, threads: int = 1, inputs: dict[str, np.ndarray] | None = None
) -> Step:
    """The answer is the definition's, of inputs and weights that bf16 has. Gives the step of that family."""
    options = Settings(MACHINE, threads=threads, precision="bf16", tuner=Forced(family))
    weights = {name: nearest(array) for name, array in random_weights(graph).items()}
    inputs = inputs or {name: nearest(array) for name, array in random_inputs(graph, images).items()}
    plan = make_plan(graph, weights, graph.inputs, options)
    steps = [step for step in plan.steps if isinstance(step, Step) and step.part.kernel.family == family]
    (found,) = [step for step in steps if step.part.kernel.storage == DOTS.name]
    if MACHINE.cpu == host().cpu:
        (answer,) = Program(plan, MACHINE, threads)(inputs, graph.outputs)
        assert relative_error(answer, run(graph, weights, inputs)) < 2e-6  # type: ignore[arg-type]
    else:
        assert INSTRUCTION in assembly(found.part.kernel.emit(MACHINE), MACHINE)  # type: ignore[union-attr]
    return found
