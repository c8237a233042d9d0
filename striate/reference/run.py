"""A whole graph, run word by word in NumPy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import DTypeLike

from striate.errors import ArgumentError, GraphError, ShapeError, UnsupportedError
from striate.graph.graph import Graph, Node, Weights, owner
from striate.reference.meaning import Array, forward


def run(
    graph: Graph,
    weights: Weights,
    inputs: Mapping[str, Array] | Array,
    *,
    dtype: DTypeLike = np.float64,
    outputs: Sequence[str] | None = None,
    keep: dict[str, Array] | None = None,
) -> Array | tuple[Array, ...]:
    """The graph's outputs for these inputs: an array, or a tuple where there are several.

    ``inputs``: one array, or one by name. Everything is computed in ``dtype``. ``outputs`` asks for other
    values than the graph's own ("layer1.conv", "pool:1"); nodes they do not need are not run. ``keep``: a
    dict into which every value that was computed is put by name; else each is freed after its last use.

    Raises ArgumentError for missing inputs, GraphError for missing weights or unknown outputs, and
    ShapeError or UnsupportedError, with the layer's name, where a word cannot be computed.
    """
    wanted = tuple(outputs if outputs is not None else graph.outputs)
    values = {name: cast(x, dtype) for name, x in by_name(graph, inputs).items()}
    nodes = needed(graph, wanted)
    uses = Counter([value for node in nodes for value in node.inputs] + list(wanted))
    for node in nodes:
        results = _compute(node, [values[key(value)] for value in node.inputs], weights, dtype)
        for index, result in enumerate(results):
            values[node.name if index == 0 else f"{node.name}:{index}"] = result
        if keep is not None:
            keep.update({name: value for name, value in values.items() if owner(name) == node.name})
        _free(values, uses, node)
    found = tuple(values[key(value)] for value in wanted)
    return found[0] if len(found) == 1 else found


def _compute(node: Node, inputs: list[Array], weights: Weights, dtype: DTypeLike) -> tuple[Array, ...]:
    """The node's outputs; whatever goes wrong is said with the node's name."""
    where = f"{node.name} ({type(node.op).__name__})"
    for name in node.weights.values():
        if name not in weights:
            raise GraphError(f"weights must hold the tensor {name!r} that {where} needs: add it.")
    tensors = {role: cast(weights[name], dtype) for role, name in node.weights.items()}
    try:
        result = forward(node.op, inputs, tensors)
    except UnsupportedError as error:
        raise UnsupportedError(f"{where}: {error}") from None
    except ValueError as error:  # ours, or NumPy's about sizes that cannot be broadcast
        raise ShapeError(f"{where}: {error}", layer=node.name) from error
    return result if isinstance(result, tuple) else (result,)


def by_name(graph: Graph, inputs: Mapping[str, Array] | Array) -> dict[str, Array]:
    """Inputs by name, of the sizes that the graph fixes."""
    given = inputs if isinstance(inputs, Mapping) else dict.fromkeys(list(graph.inputs)[:1], inputs)
    if set(given) != set(graph.inputs):
        raise ArgumentError(
            f"inputs must be {list(graph.inputs)}, got {list(given)}: pass one array for each."
        )
    for name, shape in graph.inputs.items():
        actual = np.shape(given[name])
        fits = len(actual) == len(shape) and all(
            isinstance(size, str) or size == got for size, got in zip(shape, actual, strict=True)
        )
        if not fits:
            wanted = ", ".join(map(str, shape))
            raise ShapeError(f"{name} must have shape ({wanted}), got {actual}: resize or reshape it.", name)
    return dict(given)


def needed(graph: Graph, wanted: Sequence[str]) -> list[Node]:
    """The nodes that lead to the wanted values, in order."""
    known = {node.name: node.op.outputs for node in graph} | dict.fromkeys(graph.inputs, 1)
    for value in wanted:
        name, _, index = value.partition(":")
        if name not in known or (index and not (index.isdigit() and int(index) < known[name])):
            raise GraphError(f"outputs must be values of this graph, got {value!r}: see striate explain.")
    needed = {owner(value) for value in wanted}
    nodes = []
    for node in reversed(graph.nodes):
        if node.name in needed:
            nodes.append(node)
            needed.update(owner(value) for value in node.inputs)
    return nodes[::-1]


def _free(values: dict[str, Array], uses: Counter[str], node: Node) -> None:
    uses.subtract(node.inputs)
    for name in [name for name in values if uses[name] <= 0 and uses[f"{name}:0"] <= 0]:
        del values[name]


def key(value: str) -> str:
    """ "pool:0" is another way to write "pool"."""
    return value.removesuffix(":0")


def cast(x: Array, dtype: DTypeLike) -> Array:
    """Numbers in ``dtype``; indices, which pools give and unpools take, stay integers."""
    array = np.asarray(x)
    return (
        array if array.dtype.kind in "iu" and array.dtype.itemsize == 8 else array.astype(dtype, copy=False)
    )
