"""A network's first convolution in the tiles of the second: small ones, asked for by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import pytest
from engine_world import chain, compare, random_weights
from hypothesis import given, settings
from hypothesis import strategies as st

from striate import ops
from striate.engine import recipe_opening
from striate.engine.choose import Settings
from striate.engine.kernels import opening
from striate.engine.kernels.core import WHOLE
from striate.engine.machine_code import assembly
from striate.engine.plan import make_plan
from striate.engine.program import Program
from striate.engine.steps import Step
from striate.engine.target import LEVELS, usable
from striate.graph.graph import Graph, Node


@contextmanager
def always() -> Iterator[None]:
    """In one pass wherever that can be, whatever it costs."""
    with (
        patch.object(recipe_opening, "WHOLE", replace(WHOLE, second=0)),
        patch.object(recipe_opening, "cycles", lambda kernel, _: kernel.family != "opening"),
        patch.object(opening, "SHARES", 1),
    ):
        opening.opening.cache_clear()
        yield
    opening.opening.cache_clear()


def told(program: Program) -> str:
    kernels = [step.part.kernel for step in program.plan.steps if isinstance(step, Step)]
    return " ".join(f"{kernel.family} {kernel.describe()}" for kernel in kernels)


@pytest.mark.parametrize("level", usable())
@settings(max_examples=5, deadline=None)
@given(
    channels=st.tuples(st.integers(1, 4), st.sampled_from([8, 13, 32]), st.sampled_from([16, 21])),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    tiles=st.tuples(st.integers(1, 4), st.integers(3, 9)),
    rest=st.integers(0, 3),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 1)),
    pooled=st.booleans(),
    images=st.integers(1, 3),
)
def test_any_size(
    level: str,
    channels: tuple[int, int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    tiles: tuple[int, int],
    rest: int,
    padding: tuple[int, int, int],
    pooled: bool,
    images: int,
) -> None:
    """The last row of tiles may be moved back; the second's padding is zeros, not the first's results."""
    seen = 4 * tiles[0] + rest, 4 * tiles[1]  # what the second gives
    wide = [size + 2 - 2 * padding[2] for size in seen]
    sides = [
        max(1, (n - 1) * s + k - 2 * p) for n, s, k, p in zip(wide, stride, kernel, padding[:2], strict=True)
    ]
    words: list[ops.Op] = [
        ops.Conv2d(channels[0], channels[1], kernel, stride, padding[:2]),
        ops.SiLU(),
        ops.Conv2d(channels[1], channels[2], 3, padding=padding[2]),
        ops.ReLU(),
        *([ops.MaxPool2d(2)] if pooled else []),
    ]
    with always():
        graph = chain(*words, shape=(channels[0], *sides))
        program = compare(graph, images, limit=5e-6, threads=2, target=LEVELS[level])
    assert "opening" in told(program)


def test_a_residual_is_added() -> None:
    nodes = (
        Node("first", ops.Conv2d(3, 16, 3, padding=1), ("x0",), {"weight": "a", "bias": "b"}),
        Node("other", ops.Conv2d(3, 16, 1), ("x0",), {"weight": "c", "bias": "d"}),
        Node("second", ops.Conv2d(16, 16, 3, padding=1), ("first",), {"weight": "e", "bias": "f"}),
        Node("sum", ops.Add(), ("second", "other"), {}),
        Node("end", ops.ReLU(), ("sum",), {}),
    )
    with always():
        program = compare(Graph({"x0": ("N", 3, 16, 24)}, nodes, ("end",)), 2, limit=5e-6, threads=2)
    assert "opening" in told(program)


def test_apart_where_that_is_cheaper_or_exact_is_asked_for() -> None:
    words = (ops.Conv2d(3, 24, 3, padding=1), ops.ReLU(), ops.Conv2d(24, 16, 3, padding=1), ops.MaxPool2d(2))
    graph = chain(*words, shape=(3, 26, 29))
    with patch.object(recipe_opening, "WHOLE", replace(WHOLE, second=0)):
        for exact in (False, True):
            program = compare(graph, 3, limit=5e-6, threads=2, exact=exact)
            assert "opening" not in told(program)
            (first,) = [s.part.kernel for s in program.plan.steps if isinstance(s, Step) and "n0" in s.covers]
            assert first.family != "frame"  # where the layer begins, its error is told
    assert told(compare(graph, limit=5e-6)).count("frame") == 2  # the two are stages of their own


@pytest.mark.parametrize(
    "second",
    [
        ops.Conv2d(64, 64, 3, padding=2),
        ops.Conv2d(64, 64, 3, 2, 1),
        ops.Conv2d(64, 64, 3, padding=1, groups=4),
        ops.Conv2d(64, 64, 5, padding=2),
        ops.MaxPool2d(2),
    ],
)
def test_other_words_stand_alone(second: ops.Op) -> None:
    with always():
        graph = chain(ops.Conv2d(3, 64, 3, padding=1), second, shape=(3, 24, 24))
        assert "opening" not in told(compare(graph, limit=5e-6))


def test_chosen_for_large_images() -> None:
    words = (ops.Conv2d(3, 64, 3, padding=1), ops.ReLU(), ops.Conv2d(64, 64, 3, padding=1), ops.ReLU())
    graph = chain(*words, shape=(3, 224, 224))
    plan = make_plan(graph, random_weights(graph), {"x0": ("N", 3, 224, 224)}, Settings(LEVELS["avx2"]))
    assert "opening" in [step.part.kernel.family for step in plan.steps if isinstance(step, Step)]


@pytest.mark.parametrize("level", LEVELS)
def test_every_level(level: str) -> None:
    target = LEVELS[level]
    words = (ops.Conv2d(3, 64, 3, padding=1), ops.ReLU(), ops.Conv2d(64, 64, 3, padding=1), ops.MaxPool2d(2))
    graph = chain(*words, shape=(3, 224, 224))
    with always():
        plan = make_plan(graph, random_weights(graph), {"x0": ("N", 3, 224, 224)}, Settings(target))
    (kernel,) = [
        step.part.kernel
        for step in plan.steps
        if isinstance(step, Step) and step.part.kernel.family == "opening"
    ]
    assert kernel.units >= 4 and assembly(kernel.emit(target), target)  # type: ignore[union-attr]
