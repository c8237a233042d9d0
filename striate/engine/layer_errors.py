"""Each layer of a program against its definition: what ``net.plan(check=True)`` tells.

A layer is given exactly the numbers that its definition is given, rounded to float32, so that an error is the
kernel's own and not that of the layers before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from striate.engine.padding import settled
from striate.engine.program import Program
from striate.engine.steps import Plan, Step
from striate.graph.graph import Graph
from striate.reference import forward

Values = dict[str, NDArray[np.float64]]
SEED = 0


def layer_errors(
    program: Program, graph: Graph, weights: Mapping[str, np.ndarray], size: Sequence[int]
) -> dict[int, float]:
    """Number of a layer's first step in the plan -> relative L2 error of the layer, for one random image."""
    layers = _layers(program.plan)
    ends = {program.plan.steps[first].covers[-1] for first in layers}  # type: ignore[union-attr]
    (name,) = graph.inputs
    image = np.random.default_rng(SEED).standard_normal((1, *size)).astype(np.float32)
    given, exact = _definition(settled(graph), weights, {name: image.astype(np.float64)}, ends)
    rounded = {key: value.astype(np.float32) for key, value in given.items()}
    errors = {}
    for first, end, found in program.each_layer(layers, rounded):
        norm = float(np.linalg.norm(exact[end]))
        errors[first] = float(np.linalg.norm(found - exact[end])) / (norm or 1.0)
    return errors


def _layers(plan: Plan) -> dict[int, list[int]]:
    """First step of a layer -> all its steps: those that write zeros around maps among them are nobody's."""
    found: dict[int, list[int]] = {}
    for number, step in enumerate(plan.steps):
        if not isinstance(step, Step):
            continue
        if step.covers and step.part.kernel.family != "frame":
            found[number] = []
        if found:
            found[max(found)].append(number)
    return found


def _definition(
    graph: Graph, weights: Mapping[str, np.ndarray], values: Values, ends: set[str]
) -> tuple[Values, Values]:
    """Every value: as it is given to whoever reads it (at the end of a layer in float32), and unrounded."""
    exact: Values = {}
    for node in graph:
        tensors = {role: np.asarray(weights[name], np.float64) for role, name in node.weights.items()}
        found = forward(node.op, [values[name] for name in node.inputs], tensors)
        results = found if isinstance(found, tuple) else (found,)
        for index, result in enumerate(results):
            name = node.name if index == 0 else f"{node.name}:{index}"
            exact[name] = values[name] = np.asarray(result, np.float64)
        if node.name in ends or len(results) > 1:
            values[node.name] = exact[node.name].astype(np.float32).astype(np.float64)
    return values, exact
