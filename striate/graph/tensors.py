"""Do these tensors fit this graph? Asked before a network is stored, and after one is read."""

from __future__ import annotations

import numpy as np

from striate.errors import GraphError
from striate.graph.graph import Graph, Weights
from striate.ops.weights import weight_shapes


def check_tensors(graph: Graph, weights: Weights) -> None:
    """Raise GraphError unless every tensor a node needs is there, of its word's shape, real and finite."""
    for node in graph:
        for role, shape in weight_shapes(node.op).items():
            name = node.weights[role]
            if name not in weights:
                raise GraphError(f"weights must hold the tensor {name!r} of {node.name}: add it.")
            tensor = weights[name]
            if tensor.shape != shape:
                raise GraphError(
                    f"{name} must have shape {shape} for {node.name} ({type(node.op).__name__}), "
                    f"got {tensor.shape}: give the tensor that was trained with this layer."
                )
            if tensor.dtype.kind not in "fiu":
                raise GraphError(f"{name} must hold real numbers, got {tensor.dtype}: convert it.")
            if not np.isfinite(tensor).all():
                raise GraphError(
                    f"{name} must hold finite numbers, and has NaN or infinite ones: "
                    "train again with a lower learning rate."
                )
