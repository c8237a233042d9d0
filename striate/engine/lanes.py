"""How many lanes suit a network: few channels leave most of a long vector idle.

A vector has one lane for each output channel. LeNet-5's first layer has 6, so that of 16 lanes 10 do nothing.
Where the processor takes long vectors in halves, shorter ones are as fast and less is idle. Only what takes
an exponential is slower in them, whose set of instructions has none that scales by a power of two.
"""

from __future__ import annotations

from math import prod

from striate.arithmetic import cost, derive, inputs_of, value_of
from striate.arithmetic.derivation import Derived
from striate.engine.target import Target
from striate.graph.graph import Graph
from striate.ops import ELU, GELU, SELU, Conv, Linear, LogSoftmax, Sigmoid, SiLU, Softmax, Tanh

LEAST = 1.015  # times the work, from which on shorter vectors were measured to be quicker
EXPONENTIAL = 6  # multiply-adds that one costs more in short vectors: 8% of EfficientNet-B0, measured


def suits(graph: Graph, size: tuple[int, ...], target: Target, other: Target) -> bool:
    """Whether ``other``, of shorter vectors, suits the network for inputs of that size (C, H, W)."""
    known = known_of(graph, size)
    more = EXPONENTIAL * _exponentials(graph, known)
    return with_idle(graph, known, target.lanes) > LEAST * (with_idle(graph, known, other.lanes) + more)


def known_of(graph: Graph, size: tuple[int, ...]) -> dict[str, Derived]:
    """What is derived of each value of one image."""
    one = (1, *size)
    return {name: Derived((shape,)) for name, shape in inputs_of(graph, one).items()} | derive(graph, one)


def with_idle(graph: Graph, known: dict[str, Derived], lanes: int) -> int:
    """Multiply-adds of one image, if each layer's output channels fill whole vectors."""
    total = 0
    for node in graph:
        if isinstance(node.op, Conv | Linear):
            outputs = int(known[node.name].shape[1])
            sums = cost(node.op, [value_of(known, value) for value in node.inputs]).multiply_adds.result
            total += sums // outputs * -(-outputs // lanes) * lanes
    return total


def _exponentials(graph: Graph, known: dict[str, Derived]) -> int:
    """Values of one image that go through one."""
    long = Sigmoid | Tanh | ELU | SELU | GELU | SiLU | Softmax | LogSoftmax
    shapes = [known[node.name].shape for node in graph if isinstance(node.op, long)]
    return sum(prod(int(axis) for axis in shape) for shape in shapes)
