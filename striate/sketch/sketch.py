"""A graph while it is being read: nodes without names yet, the shape of each value, the tensors they use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from striate.graph import Shape, owner
from striate.ops import Constant, Op


@dataclass(frozen=True)
class Place:
    """Where in the module an operation stands.

    ``path``: the innermost module ("layer1.0.conv2"); ``call`` tells two calls of that module apart;
    ``builtin``: it is torch's own; ``source``: the ``file:line`` that called it.
    """

    path: str = ""
    call: str = ""
    builtin: bool = False
    source: str | None = None

    def __str__(self) -> str:
        where = f"module {self.path!r}" if self.path else "the network's own forward"
        return f"{where} ({self.source})" if self.source else where


@dataclass(frozen=True)
class Weight:
    """A tensor that a word needs, and the parameter or buffer it is; None: a constant of the forward."""

    name: str | None
    array: np.ndarray


@dataclass(frozen=True)
class Draft:
    """A node whose name, and the names of whose tensors, are not decided: see graph.Node."""

    op: Op
    inputs: tuple[str, ...]
    weights: Mapping[str, Weight]
    place: Place


@dataclass
class Sketch:
    """Drafts by key, in topological order. A value is a key, ``key:1`` (a second output) or a graph input."""

    drafts: dict[str, Draft] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    inputs: dict[str, Shape] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()

    def add(self, draft: Draft, *shapes: Shape) -> str:
        """Put a draft at the end and return its key."""
        key = f"%{len(self.drafts)}"
        self.drafts[key] = draft
        for index, shape in enumerate(shapes):
            self.shapes[f"{key}:{index}" if index else key] = shape
        return key

    def producer(self, value: str) -> Draft | None:
        """The draft whose first output ``value`` is; None for graph inputs and second outputs."""
        return self.drafts.get(value)

    def constant(self, value: str) -> Weight | None:
        """The tensor behind ``value`` when it is the same for every input."""
        draft = self.producer(value)
        return draft.weights["value"] if draft and isinstance(draft.op, Constant) else None

    def scalar(self, value: str) -> float | None:
        """The number behind ``value`` when it is a constant of one entry without axes."""
        weight = self.constant(value)
        return float(weight.array) if weight is not None and weight.array.shape == () else None

    def redraft(self, key: str, op: Op, *inputs: str, **weights: Weight) -> None:
        """Replace the draft ``key`` by another operation with the same result."""
        self.drafts[key] = replace(self.drafts[key], op=op, inputs=inputs, weights=weights)

    def readers(self, value: str) -> list[str]:
        """Keys of the drafts that read ``value``; "output" where the network gives it."""
        found = [key for key, draft in self.drafts.items() if value in draft.inputs]
        return found + ["output"] * (value in self.outputs)

    def replace(self, old: str, new: str) -> None:
        """Whoever reads ``old`` reads ``new``."""
        for key, draft in self.drafts.items():
            if old in draft.inputs:
                inputs = tuple(new if value == old else value for value in draft.inputs)
                self.drafts[key] = replace(draft, inputs=inputs)
        self.outputs = tuple(new if value == old else value for value in self.outputs)

    def alive(self) -> Iterator[str]:
        """Keys of the drafts that some output depends on, in order."""
        needed = {owner(value) for value in self.outputs}
        for key, draft in reversed(self.drafts.items()):
            if key in needed:
                needed.update(owner(value) for value in draft.inputs)
        return (key for key in self.drafts if key in needed)
