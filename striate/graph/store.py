"""A graph as JSON and back: strict, versioned, and free of anything that could run.

    {"format": 1,
     "inputs": {"x": ["N", 3, 32, 32]},
     "nodes": [{"name": "conv1", "op": {"op": "Conv2d", "in_channels": 3, ...}, "inputs": ["x"],
                "weights": {"weight": "conv1.weight"}, "source": "net.py:12"}, ...],
     "outputs": ["fc"]}

An operation is written with every field, so that no file depends on the defaults of its reader.
JSON has no infinity; it is written as the string "Infinity" (padding before a maximum needs it).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from striate.errors import GraphError, UnsupportedError
from striate.graph.graph import Graph, Node, Shape
from striate.ops import Op, from_json, to_json

FORMAT = 1
_INFINITIES = {"Infinity": math.inf, "-Infinity": -math.inf}


def graph_to_json(graph: Graph) -> dict[str, Any]:
    """The graph as dicts, lists, strings and finite numbers only: ``json.dumps`` needs no options."""
    return {
        "format": FORMAT,
        "inputs": {name: list(shape) for name, shape in graph.inputs.items()},
        "nodes": [_node_to_json(node) for node in graph.nodes],
        "outputs": list(graph.outputs),
    }


def graph_from_json(record: object) -> Graph:
    """The graph that ``graph_to_json`` wrote, equal to it.

    UnsupportedError: a format or a word of another version. GraphError: anything else that does not fit.
    """
    content = _mapping("graph", record)
    if content.get("format") != FORMAT or isinstance(content.get("format"), bool):
        raise UnsupportedError(
            f"graph format must be {FORMAT}, got {content.get('format')!r}: "
            "read it with the version of striate that wrote it, or export it again."
        )
    _fields("graph", content, ("format", "inputs", "nodes", "outputs"))
    return Graph(
        inputs={
            name: _shape(name, shape) for name, shape in _mapping("graph inputs", content["inputs"]).items()
        },
        nodes=tuple(_node_from_json(node) for node in _list("graph nodes", content["nodes"])),
        outputs=_names("graph outputs", content["outputs"]),
    )


def _node_to_json(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "op": op_to_json(node.op),
        "inputs": list(node.inputs),
        "weights": dict(node.weights),
        "source": node.source,
    }


def _node_from_json(record: object) -> Node:
    content = _mapping("node", record)
    _fields("node", content, ("name", "op", "inputs", "weights", "source"))
    name = _text("node name", content["name"])
    source = content["source"]
    weights = _mapping(f"weights of {name}", content["weights"])
    return Node(
        name=name,
        op=op_from_json(name, content["op"]),
        inputs=_names(f"inputs of {name}", content["inputs"]),
        weights={role: _text(f"weights of {name}", tensor) for role, tensor in weights.items()},
        source=None if source is None else _text(f"source of {name}", source),
    )


def op_to_json(op: Op) -> dict[str, Any]:
    """A word alone, as it stands in a graph's file."""
    plain: dict[str, Any] = _plain(to_json(op))
    return plain


def op_from_json(name: str, record: object) -> Op:
    """The word of node ``name``; whatever is wrong with its values is said with the node's name before it."""
    try:
        return from_json(_revived(_mapping("op", record)))
    except UnsupportedError as refusal:
        raise UnsupportedError(f"node {name}: {refusal}") from None
    except (TypeError, ValueError) as fault:  # ArgumentError and GraphError are ValueErrors
        raise GraphError(f"node {name}: {fault}") from None


def _plain(value: Any) -> Any:
    """Tuples as lists, infinities as strings."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _revived(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _INFINITIES.get(value, value) if isinstance(value, str) else value
        for key, value in record.items()
    }


# --- what a field must be ---------------------------------------------------------------------------------


def _mapping(what: str, value: object) -> Mapping[str, Any]:
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return value
    raise GraphError(f"{what} must be a JSON object, got {value!r:.80}: the file is damaged, write it again.")


def _list(what: str, value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    raise GraphError(f"{what} must be a JSON list, got {value!r:.80}: the file is damaged, write it again.")


def _text(what: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise GraphError(f"{what} must be a string, got {value!r:.80}: the file is damaged, write it again.")


def _names(what: str, value: object) -> tuple[str, ...]:
    return tuple(_text(what, name) for name in _list(what, value))


def _shape(name: str, value: object) -> Shape:
    sizes = _list(f"shape of {name}", value)
    for size in sizes:
        whole = isinstance(size, int) and not isinstance(size, bool) and size >= 0
        if not (whole or (isinstance(size, str) and size)):
            raise GraphError(
                f"shape of {name} must hold whole sizes or names such as 'N', got {sizes!r:.80}: correct it."
            )
    return tuple(sizes)


def _fields(what: str, content: Mapping[str, Any], expected: tuple[str, ...]) -> None:
    odd = sorted(set(content) ^ set(expected))
    if odd:
        raise GraphError(
            f"{what} must have exactly the fields {sorted(expected)}, these differ: {', '.join(odd)}."
        )
