"""Networks side by side: the sum of what each answers, by its own weights."""

import numpy as np
import pytest

from striate.errors import GraphError
from striate.graph import Graph, Node
from striate.graph.mean import weighted_sum
from striate.ops import Linear
from striate.reference import run


def dense(seed: int, features: int = 3) -> tuple[Graph, dict[str, np.ndarray]]:
    weights = {"fc.weight": np.random.default_rng(seed).normal(size=(2, features)).astype(np.float32)}
    op = Linear(in_features=features, out_features=2, bias=False)
    return Graph({"x": ("N", features)}, (Node("fc", op, ("x",), {"weight": "fc.weight"}),), ("fc",)), weights


def test_each_network_counts_by_its_factor() -> None:
    networks, factors = [dense(0), dense(1), dense(2)], [0.5, 0.25, 0.125]
    graph, weights = weighted_sum(networks, factors, 2)
    x = np.random.default_rng(3).normal(size=(4, 3))
    found = run(graph, weights, {"x": x})
    expected = sum(f * x @ own["fc.weight"].T for (_, own), f in zip(networks, factors, strict=True))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_networks_of_other_images_are_refused() -> None:
    with pytest.raises(GraphError, match=r"network 2 has .* give networks of one kind"):
        weighted_sum([dense(0), dense(1, features=4)], [0.5, 0.5], 2)
