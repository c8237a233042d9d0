"""A network as words in topological order. Shapes are computed from it, never stored in it as truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from striate.errors import GraphError
from striate.ops import Op

Shape = tuple[int | str, ...]  # a size may be symbolic: "N" is the batch
Weights = Mapping[str, np.ndarray]  # beside the graph, never inside it


@dataclass(frozen=True)
class Node:
    """One word at one place of a network.

    ``name`` is the module's own path where it has one ("layer1.0.conv2"); ``inputs`` names nodes or graph
    inputs ("pool:1" is the second output of "pool"); ``weights`` says which tensor plays which role;
    ``source`` is the ``file:line`` that called it, for the doctor.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    weights: Mapping[str, str] = field(default_factory=dict)
    source: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))
        object.__setattr__(self, "weights", MappingProxyType(dict(self.weights)))
        word = type(self.op).__name__
        arity = self.op.arity
        if (arity is None and not self.inputs) or (arity is not None and len(self.inputs) != arity):
            wanted = "at least 1" if arity is None else str(arity)
            raise GraphError(
                f"{self.name} ({word}) must have {wanted} inputs, got {len(self.inputs)}: connect it."
            )
        if tuple(sorted(self.weights)) != tuple(sorted(self.op.roles)):
            raise GraphError(
                f"{self.name} ({word}) must have weights for the roles {list(self.op.roles)}, "
                f"got {sorted(self.weights)}: name one tensor for each role."
            )


@dataclass(frozen=True)
class Graph:
    """Words in topological order. GraphError: a name used twice, or not known where it is used."""

    inputs: Mapping[str, Shape]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        shapes = {name: tuple(shape) for name, shape in self.inputs.items()}
        object.__setattr__(self, "inputs", MappingProxyType(shapes))
        object.__setattr__(self, "nodes", tuple(self.nodes))
        object.__setattr__(self, "outputs", tuple(self.outputs))
        known = dict.fromkeys(self.inputs, 1)
        for node in self.nodes:
            if node.name in known or ":" in node.name:
                raise GraphError(
                    f"node name must be unique and free of ':', got {node.name!r} twice: rename one."
                )
            for value in node.inputs:
                _require_known(value, known, node.name)
            known[node.name] = node.op.outputs
        for value in self.outputs:
            _require_known(value, known, "the graph's output")
        if not self.outputs:
            raise GraphError("outputs must name at least one node, got none: name the last node.")

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, name: str) -> Node:
        """The node of that name; GraphError when there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise GraphError(
            f"node must be one of this graph's, got {name!r}: see striate explain for the names."
        )

    def consumers(self, name: str) -> tuple[Node, ...]:
        """The nodes that read any output of ``name``."""
        return tuple(node for node in self.nodes if any(owner(value) == name for value in node.inputs))

    def tensor_names(self) -> tuple[str, ...]:
        """Every tensor that some node needs, once, in order of first use: tied weights count once."""
        return tuple(dict.fromkeys(name for node in self.nodes for name in node.weights.values()))


def owner(value: str) -> str:
    """The node (or graph input) a value belongs to: "pool:1" -> "pool"."""
    return value.partition(":")[0]


def _require_known(value: str, known: Mapping[str, int], where: str) -> None:
    name, _, index = value.partition(":")
    if name not in known:
        raise GraphError(
            f"inputs of {where} must be graph inputs or earlier nodes, got {value!r}: put that node first."
        )
    if index and (not index.isdigit() or int(index) >= known[name]):
        raise GraphError(f"inputs of {where} must name an output that exists, got {value!r}: use {name!r}.")
