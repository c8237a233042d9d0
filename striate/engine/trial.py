"""A small network on which compiled kernels are compared with their definition: what ``trust`` asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from striate import ops
from striate.engine.choose import Settings
from striate.engine.kernels.storage import nearest
from striate.engine.plan import make_plan
from striate.engine.program import Program
from striate.engine.target import Target
from striate.graph.graph import Graph, Node
from striate.ops.weights import weight_shapes
from striate.reference import run

Answer = Callable[[Graph, dict[str, np.ndarray], np.ndarray], np.ndarray]

WORDS: tuple[ops.Op, ...] = (
    ops.Conv2d(3, 24, (5, 5), (2, 2), (2, 2)),
    ops.HardSwish(),
    ops.Conv2d(24, 24, (3, 3), padding=(1, 1)),
    ops.ReLU(),
    ops.Conv2d(24, 24, (3, 3), padding=(1, 1), groups=24),
    ops.SiLU(),
    ops.MaxPool2d((3, 3), (2, 2), (1, 1)),
    ops.Conv2d(24, 320, (1, 1)),
    ops.Conv2d(320, 320, (1, 1)),
    ops.GELU(),
    ops.AdaptiveAvgPool2d((1, 1)),
    ops.Flatten(),
    ops.Linear(320, 480),
    ops.Linear(480, 19),
)
# each begins with what may round its input to bf16, which does nothing to numbers that bf16 has
ROUNDING: tuple[tuple[ops.Op, ...], ...] = (
    (ops.Conv2d(88, 160, (1, 1)), ops.SiLU()),
    (ops.Conv2d(144, 96, (1, 1), (2, 2)),),
    (ops.Conv2d(88, 96, (3, 3), (2, 2), (1, 1)),),
    (ops.Conv2d(88, 192, (1, 1)), ops.ReLU(), ops.Conv2d(192, 192, (3, 3), padding=(1, 1), groups=192)),
)


def disagreement(answer: Answer, precision: str = "fp32", words: tuple[ops.Op, ...] = WORDS) -> float:
    """The relative error of ``answer`` on a small network, whose weights and input are of that precision."""
    nodes, before = [], "x"
    for number, op in enumerate(words):
        nodes.append(Node(f"n{number}", op, (before,), {role: f"{number}.{role}" for role in op.roles}))
        before = f"n{number}"
    first = words[0]
    if not isinstance(first, ops.Conv):
        raise TypeError(type(first).__name__)
    graph = Graph({"x": ("N", first.in_channels, 41, 37)}, tuple(nodes), (before,))
    rng = np.random.default_rng(0)
    weights = {
        node.weights[role]: (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        for node in graph
        for role, shape in weight_shapes(node.op).items()
    }
    if precision == "bf16":
        weights = {name: nearest(array) for name, array in weights.items()}
    x = rng.standard_normal((2, first.in_channels, 41, 37)).astype(np.float32)
    x = nearest(x) if precision == "bf16" else x
    expected, found = run(graph, weights, x), answer(graph, weights, x)
    error = np.linalg.norm(found - expected) / np.linalg.norm(np.asarray(expected))
    return float(error) if np.isfinite(error) else float("inf")


def of_precision(target: Target, precision: str) -> float:
    """The error of kernels that read such weights, and of those that multiply such numbers, if it has
    them."""
    plain = replace(target, dots=False)
    errors = [disagreement(compiled(plain, False, precision), precision)]
    for words in ROUNDING if target.dots else ():
        errors.append(disagreement(compiled(target, False, precision), precision, words))
    return max(errors)


def compiled(target: Target, exact: bool, precision: str = "fp32") -> Answer:
    """The engine's answer, with nothing kept from earlier networks but code."""

    def answer(graph: Graph, weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
        settings = Settings(target, exact, precision=precision)
        program = Program(make_plan(graph, weights, graph.inputs, settings), target, 1)
        return program({"x": x}, graph.outputs)[0]

    return answer
