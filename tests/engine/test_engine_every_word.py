"""Every word of the vocabulary through the engine, over its whole argument space, against the reference.

What has no kernel must reach NumPy and come back; nothing may be wrong, and nothing may crash.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from engine_world import program_of, relative_error
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from striate import ops
from striate.arithmetic import graph_shapes
from striate.engine.stage import NotLowerableError
from striate.errors import ArgumentError, ShapeError
from striate.graph.graph import Graph, Node
from striate.reference import run

sys.path.append(str(Path(__file__).parents[1] / "reference"))
from word_examples import EXAMPLES

FEW, MANY = 2, 40
INDICES = {"MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"}  # an input of whole numbers: see test_engine_words
NAMES = sorted(set(ops.WORDS) - INDICES)


def compare(name: str, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    try:
        example = EXAMPLES[name](data.draw, ops.WORDS[name], rng)
        op, arrays = example.op, [x.astype(np.float32) for x in example.inputs]
        if not arrays or min(x.ndim for x in arrays) < 2 or len({len(x) for x in arrays}) > 1:
            return
        inputs = {f"x{i}": ("N", *x.shape[1:]) for i, x in enumerate(arrays)}
        node = Node("word", op, tuple(inputs), {role: role for role in op.roles})
        graph = Graph(inputs, (node,), ("word",))
        graph_shapes(graph)
    except (ArgumentError, ShapeError):
        return
    weights = {role: w.astype(np.float32) for role, w in example.weights(rng).items()}
    feeds = dict(zip(inputs, arrays, strict=True))
    with np.errstate(all="ignore"):
        exactly = run(graph, weights, {k: x.astype(np.float64) for k, x in feeds.items()})
        expected = np.asarray(exactly).astype(np.float32).astype(np.float64)  # exp(91) is infinite
        try:
            (found,) = program_of(graph, weights)(feeds, graph.outputs)
        except NotLowerableError:
            return  # the whole graph runs in NumPy
    assert found.shape == expected.shape
    assert relative_error(found, expected) <= 1e-5, op


def search(name: str, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def drawn(data: st.DataObject) -> None:
        compare(name, data)

    drawn()


@pytest.mark.parametrize("name", NAMES)
def test_a_word(name: str) -> None:
    search(name, FEW)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_a_word_thoroughly(name: str) -> None:
    search(name, MANY)
