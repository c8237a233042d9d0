"""``net.plan(check=True)``: the error of each layer alone, and a broken kernel that it finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_world import chain, random_weights

from striate import ops
from striate.bundle import Bundle
from striate.engine import Network, cache
from striate.engine.kernels.pool import Pool
from striate.engine.target import host
from striate.engine.trust import trusted
from striate.graph.graph import Graph, Node

SIZE = (3, 24, 21)
WORDS = (
    ops.Conv2d(3, 20, 3, padding=1),
    ops.ReLU(),
    ops.Conv2d(20, 20, 3, padding=1, groups=20),
    ops.MaxPool2d(2),
    ops.LocalResponseNorm(3),
    ops.Conv2d(20, 24, 3, padding=1),
    ops.AdaptiveAvgPool2d(1),
    ops.Flatten(),
    ops.Linear(24, 5),
)


def network(graph: Graph, **options: Any) -> Network:
    return Network(Bundle(graph, random_weights(graph), (), {}, {}), **options)


def joined() -> Graph:
    """A residual, a concatenation in place, and one that needs a kernel."""
    conv = {"weight": "w", "bias": "b"}
    nodes = (
        Node("a", ops.Conv2d(16, 16, 3, padding=1), ("x0",), conv),
        Node("sum", ops.Add(), ("a", "x0")),
        Node("relu", ops.ReLU(), ("sum",)),
        Node("b", ops.Conv2d(16, 8, 1), ("relu",), {"weight": "w1", "bias": "b1"}),
        Node("both", ops.Concat(1), ("b", "relu")),
        Node("mixed", ops.ChannelShuffle(2), ("both",)),
        Node("c", ops.Conv2d(24, 7, 3, 2), ("mixed",), {"weight": "w2", "bias": "b2"}),
        Node("mean", ops.Mean((2, 3)), ("c",)),
    )
    return Graph({"x0": ("N", 16, 13, 11)}, nodes, ("mean",))


@pytest.mark.parametrize("graph", [chain(*WORDS, shape=SIZE), joined()], ids=["chain", "joined"])
@pytest.mark.parametrize("exact", [True, False])
def test_each_layer_is_within_its_bound(graph: Graph, exact: bool) -> None:
    """``exact``: within 1e-6, each layer; Winograd within 1e-5."""
    table = network(graph, exact=exact).plan(check=True)
    errors = {line.layers[0]: line.error for line in table.lines if line.error is not None}
    layers = [line for line in table.lines if line.kernel not in ("numpy", "frame") and line.layers]
    assert len(errors) == len(layers) >= 5
    assert 0 < max(errors.values()) <= (1e-6 if exact else 1e-5), errors
    assert "error" in str(table).splitlines()[0]


def test_a_layer_that_is_wrong_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that writes one wrong pixel: the error stands at its line, and at no other."""
    trusted(host())  # the machine is checked with sound kernels, whichever test comes first
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))
    graph = chain(*WORDS, shape=SIZE)
    original = Pool.body

    def sabotaged(self: Pool, work: Any) -> None:
        original(self, work)
        to, buffer = work.to, work.buffer("target")
        to.put(to.constant(99.0), buffer, 0)

    monkeypatch.setattr(Pool, "body", sabotaged)
    table = network(graph).plan(check=True)
    wrong = [line.layers[0] for line in table.lines if line.error is not None and line.error > 1e-5]
    assert wrong == ["n3"]


def test_the_same_images_every_time() -> None:
    net = network(chain(*WORDS, shape=SIZE))
    first, second = (net.plan(check=True) for _ in range(2))
    assert [line.error for line in first.lines] == [line.error for line in second.lines]
    x = np.random.default_rng(3).standard_normal((2, *SIZE)).astype(np.float32)
    before = net(x)
    net.plan(check=True, measure=True)
    np.testing.assert_array_equal(net(x), before)
