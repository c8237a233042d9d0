"""The network as the rules look at it: words with their shapes and fields, and the ways between them.

What a rule may ask beyond the graph is here too, and may be missing: the weights, which of them are learned,
every parameter the module owns, and mean and standard deviation of the input.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from striate.arithmetic import Field, graph_fields, graph_shapes
from striate.graph import Graph, Node, Shape, Weights, owner
from striate.ops import Dropout, Flatten, Identity, Op, Permute, Reshape

SILENT = (Identity, Dropout)  # values pass unchanged when the network is used
MOVES = (*SILENT, Flatten, Reshape, Permute)  # values pass unchanged, but elsewhere
W = TypeVar("W", bound=Op)


@dataclass(frozen=True)
class InputStatistics:
    """Mean and standard deviation of each channel of what the network receives."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Patient:
    """One network under examination; ``graph`` must fit its own input."""

    graph: Graph
    weights: Weights | None = None
    trainable: Collection[str] | None = None
    """Names of the tensors that training changes; None where it is not known."""
    parameters: Collection[str] | None = None
    """Names of all parameters that the module owns, also of those that no layer uses."""
    statistics: InputStatistics | None = None

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every value."""
        return graph_shapes(self.graph)

    @cached_property
    def fields(self) -> dict[str, Field | None]:
        """What every value sees of the image; empty where the input is no image."""
        first = next(iter(self.graph.inputs.values()))
        known = len(first) > 2 and all(isinstance(size, int) for size in first[2:])
        return graph_fields(self.graph) if known else {}

    @cached_property
    def _nodes(self) -> dict[str, Node]:
        return {node.name: node for node in self.graph}

    @cached_property
    def _readers(self) -> dict[str, tuple[Node, ...]]:
        readers: dict[str, list[Node]] = {name: [] for name in (*self.graph.inputs, *self._nodes)}
        for node in self.graph:
            for name in dict.fromkeys(map(owner, node.inputs)):
                readers[name].append(node)
        return {name: tuple(found) for name, found in readers.items()}

    # --- what is there --------------------------------------------------------------------------------

    def of(self, *words: type[W]) -> Iterator[tuple[Node, W]]:
        """The nodes of these words, in order, each with its word."""
        return ((node, node.op) for node in self.graph if isinstance(node.op, words))

    def image(self) -> tuple[int, ...]:
        """The spatial sizes of the first input; () where it has none."""
        return _numbers(next(iter(self.graph.inputs.values()))[2:])

    def spatial(self, value: str) -> tuple[int, ...]:
        """The spatial sizes of a value (N, C, *sizes)."""
        return _numbers(self.shapes[value][2:])

    def values(self, value: str) -> int:
        """How many numbers a value has for one image."""
        count = 1
        for size in _numbers(self.shapes[value][1:]):
            count *= size
        return count

    # --- ways -----------------------------------------------------------------------------------------

    def sources(self, node: Node) -> Iterator[Node]:
        """The nodes whose values ``node`` reads; graph inputs are left out."""
        return (self._nodes[owner(value)] for value in node.inputs if owner(value) in self._nodes)

    def readers(self, name: str) -> tuple[Node, ...]:
        """The nodes that read ``name``."""
        return self._readers[name]

    def before(self, node: Node, through: tuple[type[Op], ...] = SILENT) -> Node | None:
        """The node whose value arrives, seen through words of one input; None at a graph input."""
        while True:
            found = next(self.sources(node), None)
            if found is None or not isinstance(found.op, through):
                return found
            node = found

    def after(self, node: Node, through: tuple[type[Op], ...] = SILENT) -> list[Node]:
        """The nodes that read the value, seen through words of one input."""
        found: list[Node] = []
        for reader in self.readers(node.name):
            found += self.after(reader, through) if isinstance(reader.op, through) else [reader]
        return found

    def downstream(self, node: Node, stop: Callable[[Node], bool]) -> Iterator[Node]:
        """All nodes behind ``node``, nearest first; nothing behind one at which ``stop`` holds."""
        seen, queue = {node.name}, list(self.readers(node.name))
        while queue:
            found = queue.pop(0)
            if found.name in seen:
                continue
            seen.add(found.name)
            yield found
            if not stop(found):
                queue += self.readers(found.name)

    def is_output(self, node: Node, through: tuple[type[Op], ...] = SILENT) -> bool:
        """Whether the value leaves the network, seen through words of one input."""
        outputs = {owner(value) for value in self.graph.outputs}
        if node.name in outputs:
            return True
        behind = (reader for reader in self.readers(node.name) if isinstance(reader.op, through))
        return any(self.is_output(reader, through) for reader in behind)

    @cached_property
    def needles(self) -> frozenset[str]:
        """Nodes through which everything passes: at that moment no other value is still to be read."""
        last: dict[str, int] = {}
        for index, node in enumerate(self.graph):
            last |= {owner(value): index for value in node.inputs}
        last |= {owner(value): len(self.graph) for value in self.graph.outputs}
        narrow, open_until = set(), {last.get(name, -1) for name in self.graph.inputs}
        for index, node in enumerate(self.graph):
            if not any(end > index for end in open_until):
                narrow.add(node.name)
            open_until.add(last.get(node.name, -1))
        return frozenset(narrow)


def _numbers(sizes: Shape) -> tuple[int, ...]:
    return tuple(size for size in sizes if isinstance(size, int))


def tensor(patient: Patient, node: Node, role: str) -> object | None:
    """The array that plays a role at a node, where weights are known."""
    weights: Mapping[str, object] = patient.weights or {}
    return weights.get(node.weights.get(role, ""))
