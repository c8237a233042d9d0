"""Several networks as one: all see the same input, and their outputs are added up, each with its weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from striate.errors import GraphError
from striate.graph.graph import Graph, Node, Weights
from striate.ops import Add, Scale


def weighted_sum(
    networks: Sequence[tuple[Graph, Weights]], factors: Sequence[float], outputs: int
) -> tuple[Graph, dict[str, np.ndarray]]:
    """One network of several, whose output (N, ``outputs``) is the sum of theirs times ``factors``.

    Nodes and tensors of the second network are called "2.name" and so on. Raises GraphError where the
    networks take other inputs, or have more than one output.
    """
    inputs = networks[0][0].inputs
    nodes: list[Node] = []
    tensors: dict[str, np.ndarray] = {}
    total = ""
    for number, ((graph, weights), factor) in enumerate(zip(networks, factors, strict=True), start=1):
        if graph.inputs != inputs or len(graph.outputs) != 1:
            raise GraphError(
                f"networks must have the inputs {dict(inputs)} and one output each, network {number} has "
                f"{dict(graph.inputs)} and {len(graph.outputs)}: give networks of one kind."
            )
        nodes += [_renamed(node, number, graph) for node in graph]
        tensors |= {f"{number}.{name}": tensor for name, tensor in weights.items()}
        share = f"share{number}"
        tensors[f"{share}.weight"] = np.full(outputs, factor, np.float32)
        scale = Scale(num_channels=outputs, bias=False)
        nodes.append(Node(share, scale, (f"{number}.{graph.outputs[0]}",), {"weight": f"{share}.weight"}))
        if total:
            nodes.append(Node(f"sum{number}", Add(), (total, share)))
        total = nodes[-1].name
    return Graph(inputs, tuple(nodes), (total,)), tensors


def _renamed(node: Node, number: int, graph: Graph) -> Node:
    return replace(
        node,
        name=f"{number}.{node.name}",
        inputs=tuple(value if value in graph.inputs else f"{number}.{value}" for value in node.inputs),
        weights={role: f"{number}.{name}" for role, name in node.weights.items()},
    )
