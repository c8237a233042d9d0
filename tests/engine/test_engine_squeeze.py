"""Squeeze and gate (arXiv 1709.01507) in the passes beside them: sums of rows, gated weights or pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from engine_world import (
    host_target,
    outside,
    program_of,
    random_inputs,
    random_weights,
    relative_error,
    target_of_eight_lanes,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from striate import ops
from striate.bundle import Bundle
from striate.engine import cache
from striate.engine.network import Network
from striate.engine.program import Program
from striate.engine.target import Target
from striate.graph.graph import Graph, Node
from striate.reference import run

FEW = settings(max_examples=8, deadline=None)


def squeezed(
    channels: int,
    size: tuple[int, int],
    outputs: int,
    *,
    wide: int = 0,
    kernel: int = 3,
    stride: int = 1,
    pool: ops.Op | None = None,
    after: bool = False,
    swapped: bool = False,
    step: int = 1,
) -> Graph:
    """[1x1 to ``wide``,] depthwise, squeeze, two small layers, gate, 1x1 [and a residual]."""
    inner = wide or channels
    nodes: list[Node] = []
    before = "x0"

    def add(name: str, op: ops.Op, *inputs: str) -> None:
        nonlocal before
        weights = {role: f"{name}.{role}" for role in op.roles}
        nodes.append(Node(name, op, inputs or (before,), weights))
        before = name

    if wide:
        add("widen", ops.Conv2d(channels, wide, 1))
        add("act0", ops.SiLU())
    add("depthwise", ops.Conv2d(inner, inner, kernel, stride, kernel // 2, groups=inner))
    add("map", ops.SiLU())
    add("squeeze", pool or ops.AdaptiveAvgPool2d(1))
    add("reduce", ops.Conv2d(inner, 5, 1))
    add("act1", ops.SiLU())
    add("expand", ops.Conv2d(5, inner, 1))
    add("gate", ops.Sigmoid())
    add("gated", ops.Multiply(), *(("gate", "map") if swapped else ("map", "gate")))
    add("narrow", ops.Conv2d(inner, outputs, 1, step))
    if after:
        add("sum", ops.Add(), "narrow", "x0")
        add("end", ops.ReLU())
    return Graph({"x0": ("N", channels, *size)}, tuple(nodes), (before,))


def check(
    graph: Graph, images: int = 2, *, threads: int = 1, exact: bool = False, target: Target | None = None
) -> Program:
    weights, inputs = random_weights(graph), random_inputs(graph, images)
    program = program_of(graph, weights, threads=threads, exact=exact, target=target)
    expected = run(graph, weights, inputs)
    wanted = expected if isinstance(expected, tuple) else (expected,)
    for found, right in zip(program(inputs, graph.outputs), wanted, strict=True):
        assert relative_error(found, np.asarray(right)) < 2e-6
    assert outside(program.plan) == []
    return program


def told(program: Program) -> str:
    return "\n".join(
        f"{step.part.kernel.family} {step.part.kernel.describe()}"  # type: ignore[union-attr,operator]
        for step in program.plan.steps
    )


@FEW
@given(
    st.integers(2, 40),
    st.tuples(st.integers(2, 19), st.integers(2, 19)),
    st.integers(1, 30),
    st.sampled_from([0, 9, 40]),
    st.sampled_from([(3, 1), (3, 2), (5, 1), (5, 2)]),
    st.booleans(),
    st.integers(1, 3),
)
def test_any_sizes(
    channels: int,
    size: tuple[int, int],
    outputs: int,
    wide: int,
    window: tuple[int, int],
    swapped: bool,
    images: int,
) -> None:
    kernel, stride = window
    graph = squeezed(channels, size, outputs, wide=wide, kernel=kernel, stride=stride, swapped=swapped)
    check(graph, images)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("exact", [False, True])
def test_large_maps_and_many_channels(threads: int, exact: bool) -> None:
    """Strips of rows that overlap, several chunks of inputs, Strassen's product."""
    how = {"threads": threads, "exact": exact, "target": target_of_eight_lanes()}
    seen = told(check(squeezed(16, (61, 61), 24, wide=64), **how))
    assert "sums of rows" in seen and "gated weights" in seen and "elementwise" not in seen, seen
    seen = told(check(squeezed(96, (9, 9), 96, wide=576, after=True), **how))
    assert ("strassen" in seen) is (threads == 1 and not exact), seen
    seen = told(check(squeezed(640, (7, 7), 328), **how))
    assert "packed" in seen and "* gate" in seen, seen


def test_strided_projection_and_other_means() -> None:
    assert "* gate" in told(check(squeezed(24, (14, 14), 40, step=2)))
    assert "sums of rows" in told(check(squeezed(24, (14, 13), 40, pool=ops.Mean((2, 3), keepdim=True))))
    assert "sums of rows" not in told(check(squeezed(24, (14, 14), 40, pool=ops.AdaptiveMaxPool2d(1))))


def test_a_map_that_others_read_too() -> None:
    """The mean's input is stored for its other readers; two means share the sums."""
    nodes = (
        Node("map", ops.Conv2d(20, 20, 3, padding=1, groups=20), ("x0",), {"weight": "w", "bias": "b"}),
        Node("one", ops.AdaptiveAvgPool2d((1, 1)), ("map",)),
        Node("two", ops.Mean((-1, -2), keepdim=True), ("map",)),
        Node("bent", ops.ReLU(), ("one",)),
        Node("both", ops.Add(), ("bent", "two")),
        Node("result", ops.Multiply(), ("map", "both")),
    )
    program = check(Graph({"x0": ("N", 20, 11, 9)}, nodes, ("result", "both")), 3)
    assert told(program).count("sums of rows") == 1 and told(program).count("global mean") == 2


def test_sums_are_those_of_rows_on_other_processors() -> None:
    """Whatever the number of lanes; this machine runs its own."""
    machine = host_target()
    check(squeezed(24, (10, 11), 17, wide=48), target=Target(**{**machine.__dict__, "registers": 32}))


@pytest.mark.parametrize("stride", [1, 2])
def test_a_wide_depthwise_pass_follows_strassens_product(stride: int) -> None:
    """Where it saves more than a pass over the map costs; rows are summed all the same."""
    graph = squeezed(512, (14, 14), 24, wide=512, stride=stride)
    seen = told(check(graph, 1))
    assert "strassen" in seen and "grouped" in seen and "sums of rows" in seen, seen
    assert "strassen" not in told(check(graph, 1, exact=True))


def test_its_forms_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them makes weights first, and reads no map there."""
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))
    graph = squeezed(48, (9, 8), 32)
    weights, inputs = random_weights(graph), random_inputs(graph, 2)
    network = Network(Bundle(graph, weights, (), {}, {}), threads=1, tune=True)
    assert relative_error(network(inputs["x0"]), np.asarray(run(graph, weights, inputs))) < 3e-6
    assert "measured, of" in str(network.plan())
