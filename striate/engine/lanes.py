"""How many lanes suit a network: few channels leave most of a long vector idle.

A vector has one lane for each output channel. LeNet-5's first layer has 6, so that of 16 lanes 10 do nothing.
Where the processor takes long vectors in halves, shorter ones are as fast and less is idle.
"""

from __future__ import annotations

from striate.arithmetic import cost, derive, inputs_of, value_of
from striate.arithmetic.derivation import Derived
from striate.engine.target import Target
from striate.graph.graph import Graph
from striate.ops import Conv, Linear

IDLE = (
    1.2  # times the multiply-adds, idle lanes among them, from which on shorter vectors are quicker: measured
)


def suits(graph: Graph, size: tuple[int, ...], target: Target, other: Target) -> bool:
    """Whether ``other``, of shorter vectors, suits the network for inputs of that size (C, H, W)."""
    return with_idle(graph, size, target.lanes) > IDLE * with_idle(graph, size, other.lanes)


def with_idle(graph: Graph, size: tuple[int, ...], lanes: int) -> int:
    """Multiply-adds of one image, if each layer's output channels fill whole vectors."""
    found, total = derive(graph, ("N", *size)), 0
    known = {name: Derived((shape,)) for name, shape in inputs_of(graph, ("N", *size)).items()} | found
    for node in graph:
        if isinstance(node.op, Conv | Linear):
            outputs = int(found[node.name].shape[1])
            sums = cost(node.op, [value_of(known, value) for value in node.inputs]).multiply_adds.result
            total += sums // outputs * -(-outputs // lanes) * lanes
    return total
