"""The network, layer by layer, each size with its derivation folded away."""

from __future__ import annotations

from typing import Any

from striate.explain import explain_graph
from striate.graph.store import graph_from_json


def layer_table(network: dict[str, Any]) -> str:
    """An HTML fragment, escaped by the room that makes it; StriateError when ``network`` is no graph."""
    return explain_graph(graph_from_json(network)).to_html()
