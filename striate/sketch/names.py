"""From a sketch to a graph: dead nodes dropped, every node and every tensor named."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import numpy as np

from striate.graph import Graph, Node, owner
from striate.ops import Constant, Op
from striate.sketch.sketch import Draft, Sketch, Weight

CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")


def named_graph(sketch: Sketch) -> tuple[Graph, dict[str, np.ndarray]]:
    """The graph of the drafts that its outputs depend on, and the tensors it uses.

    A module with a single operation gives its path to the node; operations in the forward of a larger module
    are called by path and word: "layer1.0.add". A name used again, as in a module that is called twice, gets
    "#2". An input that nothing reads stays an input.
    """
    alive = list(sketch.alive())
    tensors = Tensors()
    places = [sketch.drafts[key].place for key in alive if not isinstance(sketch.drafts[key].op, Constant)]
    calls = Counter(place.call for place in places)
    outer = {path for place in places for path in _outside(place.path)}
    names = {name: name for name in sketch.inputs}
    taken = set(names)
    nodes: list[Node] = []
    for key in alive:
        draft = sketch.drafts[key]
        weights = {role: tensors.keep(weight) for role, weight in draft.weights.items()}
        single = calls[draft.place.call] == 1 and draft.place.path not in outer
        name = _free(_wanted(draft, single), taken)
        names[key] = name
        sources = tuple(_renamed(value, names) for value in draft.inputs)
        nodes.append(Node(name, draft.op, sources, weights, draft.place.source))
    outputs = tuple(_renamed(value, names) for value in sketch.outputs)
    graph = Graph(sketch.inputs, tuple(nodes), outputs)
    return graph, tensors.arrays


def _outside(path: str) -> list[str]:
    """The paths of the modules around the module at ``path``."""
    parts = path.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _wanted(draft: Draft, single: bool) -> str:
    """``single``: it is the only operation in its module, and in all modules inside."""
    if isinstance(draft.op, Constant) and draft.weights["value"].name:
        return str(draft.weights["value"].name)
    path, word = draft.place.path, word_name(draft.op)
    if path and single and not isinstance(draft.op, Constant):
        return path
    return f"{path}.{word}" if path else word


def word_name(op: Op) -> str:
    """ "max_pool2d" for MaxPool2d, "leaky_relu" for LeakyReLU, "prelu" for PReLU."""
    return CAPITAL.sub("_", type(op).__name__).lower()


def _free(wanted: str, taken: set[str]) -> str:
    """The name, or the name with the first free number behind it; ":" belongs to second outputs."""
    wanted = wanted.replace(":", "_")
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}#{number}"
    taken.add(name)
    return name


def _renamed(value: str, names: Mapping[str, str]) -> str:
    return names[owner(value)] + value[len(owner(value)) :]


class Tensors:
    """The tensors of a graph by name; tied ones are kept once."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._constants: dict[tuple[object, ...], str] = {}

    def keep(self, weight: Weight) -> str:
        """Keep a tensor and return its name.

        A parameter keeps its own; where it is also needed in another form (a factor for each channel stored
        as (C, 1, 1), a transposed matrix), "#2" stands behind it there. Constants are "constant.0" and so on,
        equal ones once.
        """
        array = weight.array
        if weight.name is None:
            content = (array.shape, array.dtype.str, array.tobytes())
            name = self._constants.setdefault(content, f"constant.{len(self._constants)}")
        else:
            name, number = weight.name, 1
            while name in self.arrays and not _same(self.arrays[name], array):
                number += 1
                name = f"{weight.name}#{number}"
        self.arrays.setdefault(name, array)
        return name


def _same(kept: np.ndarray, array: np.ndarray) -> bool:
    return kept is array or (kept.shape == array.shape and np.array_equal(kept, array, equal_nan=True))
