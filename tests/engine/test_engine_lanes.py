"""How many lanes suit a network, and what runs where shorter vectors are as fast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_world import chain, random_inputs, random_weights, relative_error

from striate import ops
from striate.arithmetic import cost
from striate.bundle import Bundle
from striate.engine import engine
from striate.engine.kernels.core import HALVED, WHOLE, core
from striate.engine.lanes import known_of, suits, with_idle
from striate.engine.network import Network
from striate.engine.target import HALVING, LEVELS, Target, host, shorter
from striate.graph.graph import Graph
from striate.reference import run

WIDE, SLIM = replace(LEVELS["avx512"], cpu="znver4"), LEVELS["avx2"]


def narrow_network() -> Graph:
    words = ops.Conv2d(1, 6, 5, 1, 2), ops.Tanh(), ops.AvgPool2d(2), ops.Conv2d(6, 16, 5), ops.Flatten()
    return chain(*words, ops.Linear(1600, 10), shape=(1, 28, 28))


def test_idle_lanes_are_counted() -> None:
    graph = chain(ops.Conv2d(1, 6, 5), ops.ReLU(), shape=(1, 12, 12))
    once = cost(ops.Conv2d(1, 6, 5), [(1, 1, 12, 12)]).multiply_adds.result
    assert once == 8 * 8 * 25 * 6
    found = [with_idle(graph, known_of(graph, (1, 12, 12)), lanes) for lanes in (1, 4, 8, 16)]
    assert found == [once, once // 6 * 8, once // 6 * 8, once // 6 * 16]


def test_few_channels_ask_for_shorter_vectors_and_many_do_not() -> None:
    assert suits(narrow_network(), (1, 28, 28), WIDE, SLIM)
    wide = chain(ops.Conv2d(3, 64, 3), ops.Conv2d(64, 64, 3), shape=(3, 20, 20))
    assert not suits(wide, (3, 20, 20), WIDE, SLIM)


def test_exponentials_are_weighed_against_idle_lanes() -> None:
    def narrow(activation: ops.Activation) -> Graph:
        return chain(ops.Conv2d(16, 24, 1), activation, ops.Conv2d(24, 64, 1), shape=(16, 8, 8))

    for activation, short in ((ops.ReLU(), True), (ops.HardSwish(), True), (ops.SiLU(), False)):
        assert suits(narrow(activation), (16, 8, 8), WIDE, SLIM) is short, activation


def test_which_processors_have_shorter_vectors_as_fast() -> None:
    for cpu in HALVING:
        other = shorter(replace(WIDE, cpu=cpu))
        assert other is not None and other.lanes == 8
        assert core(replace(WIDE, cpu=cpu)) is HALVED
    for target in (replace(WIDE, cpu="sapphirerapids"), LEVELS["avx2"], LEVELS["neon"]):
        assert shorter(target) is None
        assert core(target) is WHOLE


def test_a_network_of_few_channels_runs_with_shorter_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """On any processor: its own vectors are the shorter ones of a pretended longer level."""
    own = host()
    pretended = replace(own, lanes=2 * own.lanes)

    def choose(graph: Graph, size: tuple[int, ...], target: Target, other: Target) -> bool:
        asked.append((target, other))
        return suits(graph, size, replace(WIDE, lanes=16), SLIM)

    asked: list[tuple[Target, Target]] = []
    monkeypatch.setattr(engine, "host", lambda: pretended)
    monkeypatch.setattr(engine, "shorter", lambda target: own if target == pretended else None)
    monkeypatch.setattr("striate.engine.lanes.suits", choose)
    graph = narrow_network()
    weights, x = random_weights(graph), random_inputs(graph, 3)["x0"]
    network = Network(Bundle(graph, weights, (), {}, {}), threads=1)
    expected = run(graph, weights, {"x0": x})
    assert relative_error(network(x), np.asarray(expected)) < 3e-6
    assert asked == [(pretended, own)]
    program = network._engine.program((1, 28, 28))
    assert program is not None and program.target == own
