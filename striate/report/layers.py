"""The network, layer by layer, each size with its derivation folded away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from striate.explanation import explain_graph
from striate.graph.store import graph_from_json


@dataclass(frozen=True)
class LayerPart:
    """``table`` is an HTML fragment, escaped by the room that makes it."""

    table: str
    parameters: int


def layer_part(network: dict[str, Any]) -> LayerPart:
    """Raises StriateError when ``network`` is no graph, or one whose sizes do not fit."""
    explanation = explain_graph(graph_from_json(network))
    return LayerPart(explanation.to_html(), explanation.totals.parameters)
