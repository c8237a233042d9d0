"""One word at a time through the engine, and the reference beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from striate import ops
from striate.engine import recipe_convolution
from striate.engine.choose import Settings
from striate.engine.kernels.tile import winograd_schemes
from striate.engine.kernels.winograd import Scheme
from striate.engine.plan import Plan, make_plan
from striate.engine.program import Program
from striate.engine.stage import Outside
from striate.engine.target import LEVELS, Target, host, usable
from striate.graph.graph import Graph, Node
from striate.ops import Op
from striate.ops.weights import weight_shapes
from striate.reference import run

Weights = dict[str, np.ndarray]


@cache
def host_target() -> Target:
    return host()


@cache
def target_of_eight_lanes() -> Target:
    """Where the processor has it: blocks and choices that a test expects are those of AVX2."""
    return LEVELS["avx2"] if "avx2" in usable() else host()


def one_word(op: Op, *shapes: tuple[int, ...]) -> Graph:
    """A graph of this word alone, on inputs (without the batch)."""
    inputs = {f"x{i}": ("N", *shape) for i, shape in enumerate(shapes)}
    return Graph(inputs, (Node("word", op, tuple(inputs), {role: role for role in op.roles}),), ("word",))


def chain(*words: Op, shape: tuple[int, ...]) -> Graph:
    nodes, before = [], "x0"
    for number, op in enumerate(words):
        weights = {role: f"{number}.{role}" for role in op.roles}
        nodes.append(Node(f"n{number}", op, (before,), weights))
        before = f"n{number}"
    return Graph({"x0": ("N", *shape)}, tuple(nodes), (before,))


def residual(channels: int, size: tuple[int, int]) -> Graph:
    """A 1x1 convolution, to which its input is added."""
    nodes = (
        Node("conv", ops.Conv2d(channels, channels, 1), ("x0",), {"weight": "w", "bias": "b"}),
        Node("sum", ops.Add(), ("conv", "x0"), {}),
        Node("end", ops.ReLU(), ("sum",), {}),
    )
    return Graph({"x0": ("N", channels, *size)}, nodes, ("end",))


def random_weights(graph: Graph, seed: int = 0) -> Weights:
    rng = np.random.default_rng(seed)
    found: Weights = {}
    for node in graph:
        for role, shape in weight_shapes(node.op).items():
            scale = 1 / np.sqrt(max(1, np.prod(shape[1:]))) if role == "weight" else 1
            found[node.weights[role]] = (rng.standard_normal(shape) * scale).astype(np.float32)
            if role == "running_var":
                found[node.weights[role]] = np.abs(found[node.weights[role]]) + 0.5
    return found


def random_inputs(graph: Graph, images: int, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: rng.standard_normal((images, *shape[1:])).astype(np.float32)  # type: ignore[arg-type]
        for name, shape in graph.inputs.items()
    }


def force(monkeypatch: pytest.MonkeyPatch, m: int, form: Callable[[Scheme], bool]) -> None:
    """Of all of Winograd's schemes that are thought of, the first of this form, whatever it costs."""

    def forced(*sizes: Any) -> tuple[bool, tuple[Scheme]]:
        return True, (
            next(scheme for scheme in winograd_schemes(*sizes[:5]) if scheme.m == m and form(scheme)),
        )

    monkeypatch.setattr(recipe_convolution, "winograd_kinds", forced)


def program_of(
    graph: Graph, weights: Weights, *, target: Target | None = None, threads: int = 1, exact: bool = False
) -> Program:
    target = target or host_target()
    inputs = {name: ("N", *shape[1:]) for name, shape in graph.inputs.items()}
    return Program(make_plan(graph, weights, inputs, Settings(target, exact, threads)), target, threads)


def outside(plan: Plan) -> list[str]:
    """Words that NumPy runs."""
    return [type(step.op).__name__ for step in plan.steps if isinstance(step, Outside)]


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(found[~finite], expected[~finite])
    norm = float(np.linalg.norm(expected[finite]))
    return float(np.linalg.norm(found[finite] - expected[finite])) / max(1e-30, norm)


def compare(
    graph: Graph,
    images: int = 1,
    *,
    limit: float = 2e-6,
    compiled: bool = True,
    target: Target | None = None,
    threads: int = 1,
    exact: bool = False,
) -> Program:
    """The engine's answer is the reference's, and (``compiled``) no word of it ran in NumPy."""
    weights, inputs = random_weights(graph), random_inputs(graph, images)
    program = program_of(graph, weights, target=target, threads=threads, exact=exact)
    expected = run(graph, weights, inputs)
    (found,) = program(inputs, graph.outputs)
    assert isinstance(expected, np.ndarray)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    error = relative_error(found, expected)
    assert error <= limit, (error, graph.nodes[0].op, inputs["x0"].shape)
    if compiled:
        assert outside(program.plan) == []
    return program
