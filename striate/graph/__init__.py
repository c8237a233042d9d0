"""PLAN: a network as words in order: ``graph`` holds it, ``store`` writes it, ``fold`` simplifies it."""

from striate.graph.graph import Graph, Node, Shape, Weights, owner

__all__ = ["Graph", "Node", "Shape", "Weights", "owner"]
