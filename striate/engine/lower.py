"""From a graph of words to stages: what moves nothing vanishes, activations and additions join their source.

What is here depends on the graph alone; which kernel runs a stage is decided later, in ``choose``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from striate import ops
from striate.arithmetic import graph_shapes
from striate.engine.fusion import averages, keeps_sums, merged
from striate.engine.kernels.activation import POINTWISE
from striate.engine.stage import (
    Affine,
    Gather,
    MeanOfRows,
    Move,
    NotLowerableError,
    Outside,
    Raised,
    Stage,
    Value,
    natural_dims,
)
from striate.errors import StriateError
from striate.graph.graph import Graph, Node, Shape

ALIASES = (ops.Identity, ops.Dropout, ops.Flatten, ops.Reshape)
Item = Stage | Outside


class Lowering:
    """``items`` in order, ``values`` by name, and ``constants``: arrays that no image changes.

    ``accepts`` says whether some kernel can run a stage; what it refuses runs outside.
    """

    def __init__(
        self,
        graph: Graph,
        weights: Mapping[str, np.ndarray],
        inputs: Mapping[str, Shape],
        accepts: Callable[[Stage], bool],
    ) -> None:
        self.graph, self._weights, self._accepts = graph, weights, accepts
        self.items: list[Item] = []
        self.values: dict[str, Value] = {}
        self.constants: dict[str, np.ndarray] = {}
        self._gathers: dict[str, Gather] = {}
        self._absorbed: set[str] = set()
        self._stored: set[str] = set()
        self._made: dict[str, int] = {}  # root -> the item that writes it
        self._shapes = _shapes(graph, inputs)
        self._numbers = {
            node.name: float(np.asarray(weights[node.weights["value"]]).ravel()[0])
            for node in graph
            if isinstance(node.op, ops.Constant) and np.asarray(weights[node.weights["value"]]).size == 1
        }
        self._uses = Counter([value for node in graph for value in node.inputs] + list(graph.outputs))
        for name in graph.inputs:
            self._new_value(name)
            self._stored.add(name)
        for node in graph:
            if node.name not in self._absorbed:
                self._take(node)
        for name in graph.outputs:
            self._settle(name)

    # --- one node ---------------------------------------------------------------------------------------

    def _take(self, node: Node) -> None:
        if isinstance(node.op, ops.Constant):
            self.constants[node.name] = np.asarray(self._weights[node.weights["value"]], np.float32)
        elif isinstance(node.op, ALIASES) and node.inputs[0] in self.values:
            self._alias(node)
        elif (gather := self._gather(node)) is not None:
            self._gathers[node.name] = gather
            self._new_value(node.name)
        elif (stage := self._mean_of_rows(node) or self._stage(node)) is not None:
            self._made[stage.output.root] = len(self.items)
            self.items.append(stage)
            self._stored.add(stage.output.root)
        else:
            self._outside(node)

    def _new_value(self, name: str) -> Value:
        shape = self._shapes[name]
        self.values[name] = Value(name, shape, natural_dims(shape))
        return self.values[name]

    def _alias(self, node: Node) -> None:
        if node.inputs[0] in self._gathers:
            self._settle(node.inputs[0])
        before = self.values[node.inputs[0]]
        self.values[node.name] = Value(before.root, self._shapes[node.name], before.dims)

    def _outside(self, node: Node) -> None:
        for name in node.inputs:
            self._settle(name)
        results = (node.name, *(f"{node.name}:{index}" for index in range(1, node.op.outputs)))
        for name in results:
            self._stored.add(self._new_value(name).root)
        self.items.append(Outside(node.name, node.op, node.inputs, results, self._tensors(node)))

    def _tensors(self, node: Node) -> dict[str, np.ndarray]:
        return {role: np.asarray(self._weights[name], np.float32) for role, name in node.weights.items()}

    # --- channels that only change places -----------------------------------------------------------------

    def _gather(self, node: Node) -> Gather | None:
        """Concat, Slice and ChannelShuffle on the channel axis, composed with the gathers before them."""
        if any(name not in self.values for name in node.inputs):
            return None
        if any(not self.values[name].natural for name in node.inputs):
            return None
        axis = getattr(node.op, "dim", 1)
        rank = len(self._shapes[node.name]) + 1
        if (
            not isinstance(node.op, (ops.Concat, ops.Slice, ops.ChannelShuffle))
            or axis % rank != 1
            or rank > 4
        ):
            return None
        channels = [place for name in node.inputs for place in self._channels(name)]
        match node.op:
            case ops.Slice(start=start, end=end, step=step):
                return Gather(tuple(channels[start:end:step]))
            case ops.ChannelShuffle(groups=groups):
                each = len(channels) // groups
                return Gather(tuple(channels[g * each + c] for c in range(each) for g in range(groups)))
            case _:
                return Gather(tuple(channels))

    def _channels(self, name: str) -> list[tuple[str, int]]:
        if name in self._gathers:
            return list(self._gathers[name].channels)
        value = self.values[name]
        return [(value.root, channel) for channel in range(value.dims[0])]

    def _settle(self, name: str) -> None:
        """Give a gathered value storage of its own, when somebody reads it."""
        gather = self._gathers.pop(name, None)
        if gather is None:
            return
        sources = tuple(dict.fromkeys(root for root, _ in gather.channels))
        places = tuple((sources.index(root), channel) for root, channel in gather.channels)
        inputs = tuple(self.values[source] for source in sources)
        stage = Stage(Move(places), inputs, self.values[name], covers=(name,))
        self.items.append(stage)
        self._stored.add(name)

    # --- a stage and what joins it --------------------------------------------------------------------------

    def _stage(self, node: Node) -> Stage | None:
        op = self._with_number(node)
        names = [name for name in node.inputs if op is node.op or name not in self._numbers]
        if any(name not in self.values for name in names) or op.outputs > 1:
            return None
        inputs = tuple(self.values[name] for name in names)
        output = Value(node.name, self._shapes[node.name], natural_dims(self._shapes[node.name]))
        if isinstance(op, POINTWISE):  # it may keep whatever storage its input has
            output = Value(node.name, self._shapes[node.name], inputs[0].dims)
        stage = Stage(op, inputs, output, self._tensors(node), covers=(node.name,))
        if not self._accepts(stage):
            return None
        for name in names:
            self._settle(name)
        stage = self._with_reader(self._absorb(stage))
        self.values[stage.output.root] = stage.output
        return stage

    def _with_number(self, node: Node) -> ops.Op:
        """A join with a number acts on each value alone; any other word is what it was."""
        numbers = [self._numbers.get(name) for name in node.inputs]
        changed = self._shapes.get(node.name) not in [self._shapes.get(name) for name in node.inputs]
        if len(numbers) != 2 or numbers.count(None) != 1 or changed:
            return node.op
        match node.op, numbers:
            case ops.Multiply(), [None, float(a)] | [float(a), None]:
                return Affine(a, 0.0)
            case ops.Add(), [None, float(b)] | [float(b), None]:
                return Affine(1.0, b)
            case ops.Subtract(), [None, float(b)]:
                return Affine(1.0, -b)
            case ops.Subtract(), [float(b), None]:
                return Affine(-1.0, b)
            case ops.Divide(), [None, float(a)] if a:
                return Affine(1 / a, 0.0)
            case ops.Power(), [None, float(e)] if 0 < abs(e) <= 8 and e * 4 == int(e * 4):
                return Raised(e)
        return node.op

    def _absorb(self, stage: Stage) -> Stage:
        """Take over the activations and the addition that follow, as long as nobody else reads in between."""
        while True:
            name = stage.output.root
            readers = self.graph.consumers(name)
            if len(readers) != 1 or self._uses[name] != 1:
                return stage
            (reader,) = readers
            added, op = stage.added, self._with_number(reader)
            if isinstance(op, ops.Add):
                added = self._other(stage, reader)
                if added is None:
                    return stage
            elif not isinstance(op, POINTWISE):
                return stage
            output = Value(reader.name, self._shapes[reader.name], stage.output.dims)
            longer = Stage(
                stage.op,
                stage.inputs,
                output,
                stage.tensors,
                (*stage.words, op),
                added,
                (*stage.covers, reader.name),
            )
            if not self._accepts(longer):
                return stage
            self._absorbed.add(reader.name)
            stage = longer

    def _with_reader(self, stage: Stage) -> Stage:
        """A convolution takes over the pooling, a 1x1 one the depthwise one, a network's first one the next,
        a gate the 1x1 one, that alone reads it, and what follows.
        """
        name = stage.output.root
        readers = self.graph.consumers(name)
        if stage.added or len(readers) != 1 or self._uses[name] != 1:
            return stage
        (reader,) = readers
        op = merged(stage, reader.op, opens=stage.inputs[0].root in self.graph.inputs)
        if op is None:
            return stage
        shape = self._shapes[reader.name]
        place = "second." if stage.tensors else ""
        tensors = {place + role: array for role, array in self._tensors(reader).items()}
        both = Stage(
            op,
            stage.inputs,
            Value(reader.name, shape, natural_dims(shape)),
            {**stage.tensors, **tensors},
            covers=(*stage.covers, reader.name),
        )
        if not self._accepts(both):
            return stage
        self._absorbed.add(reader.name)
        return self._with_reader(self._absorb(both))

    def _mean_of_rows(self, node: Node) -> Stage | None:
        """A mean over a map whose depthwise pass can sum its rows while it writes them."""
        before = self.values.get(node.inputs[0]) if averages(node.op) else None
        if before is None or before.root not in self._made:
            return None
        place = self._made[before.root]
        maker = self.items[place]
        if not isinstance(maker, Stage) or before != maker.output or not keeps_sums(maker):
            return None
        dims, name = (*before.dims[:2], 1), f"{before.root} rows"
        sums = self.values.setdefault(name, Value(name, dims, dims))
        self.items[place] = replace(maker, sums=sums)
        output = Value(node.name, self._shapes[node.name], natural_dims(self._shapes[node.name]))
        op = MeanOfRows(before.dims[1] * before.dims[2])
        stage = self._absorb(Stage(op, (sums,), output, covers=(node.name,)))
        self.values[stage.output.root] = stage.output
        return stage

    def _other(self, stage: Stage, add: Node) -> Value | None:
        """The other operand of an addition, if it is already there and of the same shape."""
        others = [name for name in add.inputs if name != stage.output.root]
        if stage.added is not None or len(others) != 1 or others[0] not in self.values:
            return None
        if others[0] in self._gathers:
            return None
        other = self.values[others[0]]
        same = other.shape == stage.output.shape and other.dims == stage.output.dims
        return other if same and other.root in self._stored else None


def _shapes(graph: Graph, inputs: Mapping[str, Shape]) -> dict[str, tuple[int, ...]]:
    """Sizes of all values, without the batch. NotLowerableError where a value has none, or has open sizes."""
    try:
        found = graph_shapes(graph, dict(inputs))
    except StriateError as error:
        raise NotLowerableError(str(error)) from error
    constants = {node.name for node in graph if isinstance(node.op, ops.Constant)}
    shapes = {}
    for name, shape in found.items():
        if name in constants:
            continue
        if not shape or shape[0] != "N" or any(isinstance(size, str) for size in shape[1:]):
            raise NotLowerableError(f"{name} has shape {shape}, not one value for each image")
        shapes[name] = tuple(int(size) for size in shape[1:])
    return shapes
