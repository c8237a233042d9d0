"""The chain rule over a whole graph: from the loss at its outputs back to its inputs and weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from striate.errors import ArgumentError, ShapeError
from striate.graph.graph import Graph, Node, Weights
from striate.reference.gradient import chain
from striate.reference.meaning import Array
from striate.reference.run import by_name, cast, key, needed, run


class GraphGradients(NamedTuple):
    """dL/dx by the name of the graph input, dL/dw by the name of the tensor; zeros where nothing depends."""

    inputs: dict[str, Array]
    weights: dict[str, Array]


def gradients(
    graph: Graph,
    weights: Weights,
    inputs: Mapping[str, Array] | Array,
    grad_outputs: Mapping[str, Array] | Array,
    *,
    dtype: DTypeLike = np.float64,
    keep: dict[str, Array] | None = None,
) -> GraphGradients:
    """How a loss L changes with every input and weight, given dL/dy for the graph's outputs y.

    ``inputs`` and ``grad_outputs``: one array, or one by name. What is used several times, a value that
    branches or a tensor that two layers share, receives the sum of what its uses give. ``keep``: a dict into
    which dL/dv goes for every value v on the way ("layer1.conv"): what Grad-CAM looks at.

    Raises what ``run`` raises, ArgumentError for outputs without a gradient, and ShapeError where one has
    not its output's shape.
    """
    values: dict[str, Array] = {}
    run(graph, weights, inputs, dtype=dtype, keep=values)
    values |= {name: cast(x, dtype) for name, x in by_name(graph, inputs).items()}
    tensors = {name: cast(weights[name], dtype) for name in graph.tensor_names() if name in weights}
    to_values = _of_outputs(graph, values, grad_outputs, dtype)
    to_weights = {name: np.zeros_like(tensor) for name, tensor in tensors.items()}
    for node in reversed(needed(graph, graph.outputs)):
        if node.name in to_values:  # else all that was used of it are indices, through which nothing flows
            _through(node, values, tensors, to_values, to_weights)
    if keep is not None:
        keep.update(to_values)
    to_inputs = {name: to_values.get(name, np.zeros(values[name].shape, dtype)) for name in graph.inputs}
    return GraphGradients(to_inputs, to_weights)


def _through(
    node: Node,
    values: Mapping[str, Array],
    tensors: Mapping[str, Array],
    to_values: dict[str, Array],
    to_weights: dict[str, Array],
) -> None:
    """One step of the chain rule: what arrived at the node's output is added to its inputs and tensors."""
    given = [values[key(value)] for value in node.inputs]
    roles = {role: tensors[name] for role, name in node.weights.items()}
    to_given, to_roles = chain(node.op, given, roles, to_values[node.name])
    for value, dx in zip(node.inputs, to_given, strict=True):
        if dx is not None:
            to_values[key(value)] = to_values[key(value)] + dx if key(value) in to_values else dx
    for role, name in node.weights.items():
        to_weights[name] = to_weights[name] + to_roles[role]


def _of_outputs(
    graph: Graph, values: Mapping[str, Array], given: Mapping[str, Array] | Array, dtype: DTypeLike
) -> dict[str, Array]:
    """dL/dy by the output's name; indices take none."""
    names = [key(name) for name in graph.outputs if values[key(name)].dtype.kind == "f"]
    if not isinstance(given, Mapping):
        given = dict.fromkeys(names[:1], given)
    if set(map(key, given)) != set(names):
        raise ArgumentError(f"grad_outputs must be of {names}, got {list(given)}: pass one array for each.")
    for name, g in given.items():
        if np.shape(g) != values[key(name)].shape:
            raise ShapeError(
                f"the gradient of {name} must have its shape {values[key(name)].shape}, got {np.shape(g)}: "
                "pass one number for each output value."
            )
    return {key(name): np.asarray(g).astype(dtype) for name, g in given.items()}
