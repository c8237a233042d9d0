"""Shapes of a whole network: every value of a graph, the layer that fails by name, the smallest input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from striate.arithmetic.derivation import Derived, show
from striate.arithmetic.shape import misfit, output_shapes
from striate.errors import ShapeError
from striate.graph import Graph, Node, Shape
from striate.ops import RBF, Activation, Dropout, Flatten, Identity, Linear, Reshape

InputShape: TypeAlias = Shape | Mapping[str, Shape] | None
_LARGEST_SEARCHED = 1024


@dataclass(frozen=True)
class SmallestInput:
    """``size``: equal spatial sizes at which no layer fails; ``below``: what fails one pixel below them."""

    size: tuple[int, ...]
    below: ShapeError | None


def graph_shapes(graph: Graph, input_shape: InputShape = None) -> dict[str, Shape]:
    """The shape of every value: graph inputs, nodes ("pool") and second outputs ("pool:1").

    ``input_shape``: None takes the graph's own; a shape (with the batch, or without: the graph's batch is put
    in front) for a graph of one input; a mapping for several. ShapeError names the layer, also as ``.layer``.
    """
    shapes = inputs_of(graph, input_shape)
    for node, derived in derive(graph, input_shape).items():
        shapes[node] = derived.shape
        shapes |= {f"{node}:{index}": shape for index, shape in enumerate(derived.shapes) if index}
    return shapes


def derive(graph: Graph, input_shape: InputShape = None) -> dict[str, Derived]:
    """Output shapes with their derivations for every node, by name."""
    known: dict[str, Derived] = {k: Derived((s,)) for k, s in inputs_of(graph, input_shape).items()}
    found: dict[str, Derived] = {}
    for node in graph:
        try:
            found[node.name] = output_shapes(node.op, [value_of(known, value) for value in node.inputs])
        except ShapeError as error:
            where = f"{node.name} ({type(node.op).__name__})"
            message = f"{where}: {error}{_made_of(graph, node, found)}"
            raise ShapeError(message, layer=node.name) from error
        known[node.name] = found[node.name]
    return found


def value_of(known: Mapping[str, Derived], value: str) -> Shape:
    """The shape behind "conv1" or "pool:1"."""
    name, _, index = value.partition(":")
    return known[name].shapes[int(index or 0)]


def inputs_of(graph: Graph, input_shape: InputShape = None) -> dict[str, Shape]:
    """The shapes of the graph inputs, in its order."""
    if input_shape is None:
        return dict(graph.inputs)
    if isinstance(input_shape, Mapping):
        if set(input_shape) != set(graph.inputs):
            must = f"name the inputs {', '.join(graph.inputs)}"
            raise misfit("input_shape", must, ", ".join(input_shape), "give one shape for each")
        return {name: tuple(input_shape[name]) for name in graph.inputs}
    if len(graph.inputs) != 1:
        must = f"be a mapping for the inputs {', '.join(graph.inputs)}"
        raise misfit("input_shape", must, show(tuple(input_shape)), "give one shape for each name")
    ((name, own),) = graph.inputs.items()
    given = tuple(input_shape)
    return {name: (own[0], *given) if len(given) == len(own) - 1 else given}


def _made_of(graph: Graph, node: Node, found: Mapping[str, Derived]) -> str:
    """For a dense layer that does not fit: which flatten made its features, and out of what."""
    name = node.inputs[0] if isinstance(node.op, (Linear, RBF)) else ""
    while name in found:
        source = graph[name]
        if isinstance(source.op, (Flatten, Reshape)) and found[name].derivations:
            reason = found[name].derivations[0]
            return f" {name} made {reason.result} features of {reason.substitution.replace('*', ' x ')}."
        name = source.inputs[0] if isinstance(source.op, (Activation, Dropout, Identity)) else ""
    return ""


def smallest_input(graph: Graph) -> SmallestInput:
    """The smallest equal spatial sizes for which no layer fails, found by trying 1, 2, 3, ...

    The search ends at the graph's own size or 1,024, whichever is larger; ShapeError when nothing fits.
    Only graphs of one input with spatial axes have one.
    """
    shapes = list(graph.inputs.values())
    if len(shapes) != 1 or len(shapes[0]) < 3:
        given = " and ".join(map(show, shapes))
        raise misfit("graph", "have one input (N, C, *sizes)", given, "ask for graph_shapes of one size")
    (own,) = shapes
    axes = len(own) - 2
    below: ShapeError | None = None
    for size in range(1, max(_LARGEST_SEARCHED, *(s for s in own[2:] if isinstance(s, int))) + 1):
        try:
            graph_shapes(graph, (*own[:2], *(size,) * axes))
        except ShapeError as error:
            below = error
        else:
            return SmallestInput((size,) * axes, below)
    raise below or misfit("graph", "have nodes", "none", "add a layer")
