"""From the graph in an ONNX file to a sketch of words, one node after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto, defs

from striate.errors import ArgumentError, GraphError, ShapeError, UnsupportedError
from striate.onnx.batch import BATCH, IMAGE_ARITHMETIC, of_images
from striate.onnx.call import Call
from striate.onnx.file import STANDARD, Model
from striate.onnx.limits import MOST_DEPTH, MOST_WEIGHT_BYTES
from striate.onnx.path import path_of
from striate.onnx.registry import FOLDS, READERS, VERSIONS
from striate.onnx.tensor import COMPUTED, array_of, type_name
from striate.onnx.value import Fixed, Quantised, Value, refusal
from striate.sketch import Place, Sketch

INTEGER = ("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear")
Env = dict[
    str, Value | TensorProto
]  # what names mean; a tensor that nobody has read yet stays as the file has it


class Reading:
    """Reads one model. ``sizes``: those of each input, without the batch, by name."""

    def __init__(self, model: Model, sizes: Mapping[str, Sequence[int]]) -> None:
        self.sketch = Sketch()
        self.model = model
        self.batch: int | None = None  # the number of images that the file fixes
        self._sizes = sizes
        self.grown = 0  # values of constants that are larger than what they are computed from
        self._calls = 0
        self._bytes = 0
        self._depth = 0
        self._wanted: list[set[str]] = []  # names that are read, in this graph and in those around it

    def read(self) -> Sketch:
        """The sketch of the whole graph."""
        graph = self.model.graph
        env: Env = {}
        _define(graph.initializer, env, self.model)
        for info in inputs_of(graph):
            env[info.name] = self._input(info)
        self._nodes(graph, env)
        self.sketch.outputs = tuple(self._output(info, env) for info in graph.output)
        return self.sketch

    # --- the parts of a graph -------------------------------------------------------------------------------

    def _input(self, info: ValueInfoProto) -> str:
        name = info.name.replace(":", "_")
        kind = info.type.tensor_type
        if kind.elem_type not in COMPUTED:
            raise UnsupportedError(
                f"{self.model.path}: input {info.name!r} must be float16, 32 or 64, got "
                f"{type_name(kind.elem_type)}: "
                "move the conversion out of the network, and export it from there on."
            )
        batch = kind.shape.dim[0]
        if batch.HasField("dim_value"):
            self.batch = batch.dim_value
        self.sketch.inputs[name] = self.sketch.shapes[name] = (BATCH, *self._sizes[info.name])
        return name

    def _nodes(self, graph: GraphProto, env: Env) -> None:
        live, wanted = _live(graph)
        self._wanted.append(wanted)
        for index, node in enumerate(graph.node):
            if index not in live:
                continue
            results = self._node(node, env)
            for name, value in zip(node.output, results, strict=False):
                if name in env:
                    raise GraphError(
                        f"{self.model.path}: each value must be computed once, {name!r} is twice: the file "
                        f"is "
                        "damaged, export it again."
                    )
                if name:
                    env[name] = value
        self._wanted.pop()

    def _node(self, node: NodeProto, env: Env) -> list[Value]:
        version = self._version(node)
        inputs = [self._value(name, env, node) if name else None for name in node.input]
        if node.op_type == "If":
            return self._branch(node, inputs, env)
        known = all(isinstance(value, Fixed) for value in inputs if value is not None)
        reader = FOLDS.get(node.op_type) if known else None
        reader = reader or READERS.get(node.op_type)
        if reader is None:
            raise refusal(node, self.model.path, "striate has no word for what it does to images")
        if node.op_type not in IMAGE_ARITHMETIC and any(
            isinstance(value, Fixed) and of_images(value.array) for value in inputs
        ):
            raise refusal(node, self.model.path, "it computes with the images' numbers")
        call = Call(self, node, inputs, version)
        try:
            with np.errstate(all="ignore"):
                found = reader(call)
        except (ArgumentError, ShapeError) as fault:
            raise refusal(node, self.model.path, str(fault).rstrip(".")) from fault
        except UnsupportedError as fault:
            if str(fault).startswith(str(self.model.path)):
                raise
            raise refusal(node, self.model.path, str(fault).rstrip(".")) from fault
        except (ValueError, TypeError, IndexError, ArithmeticError, AttributeError) as fault:
            # NumPy's word about constants that do not fit together
            raise refusal(node, self.model.path, f"its constants do not fit together ({fault})") from fault
        call.finish()
        results = found if isinstance(found, list) else [found]
        if self._wanted[-1].intersection(node.output[len(results) :]):
            raise refusal(
                node, self.model.path, f"only its first {len(results)} outputs have a meaning in use"
            )
        return results

    def _version(self, node: NodeProto) -> int:
        """The opset at which the operator last changed, if some reader knows it in that form."""
        operator = node.op_type
        if node.domain not in STANDARD or (operator not in VERSIONS and operator != "If"):
            quantised = (
                "save the network in QDQ format" if operator in INTEGER else "export it as standard layers"
            )
            raise refusal(node, self.model.path, f"striate has no word for it; {quantised}")
        try:
            version = int(defs.get_schema(operator, self.model.opset, "").since_version)
        except defs.SchemaError:
            reason = f"opset {self.model.opset} has no such operator; export the network again"
            raise refusal(node, self.model.path, reason) from None
        if operator != "If" and version not in VERSIONS[operator]:
            reason = f"its form of opset {version} is not known; export with opset_version=18"
            raise refusal(node, self.model.path, reason)
        return version

    def _branch(self, node: NodeProto, inputs: list[Value | None], env: Env) -> list[Value]:
        """The branch that is taken, where that is known before any image is seen."""
        condition = inputs[0] if inputs else None
        if not isinstance(condition, Fixed) or condition.array.size != 1 or condition.array.dtype != bool:
            raise refusal(node, self.model.path, "its condition is computed from the network's input")
        wanted = "then_branch" if condition.array.item() else "else_branch"
        graphs = [a.g for a in node.attribute if a.name == wanted and a.type == AttributeProto.GRAPH]
        if len(graphs) != 1 or self._depth >= MOST_DEPTH:
            raise refusal(node, self.model.path, f"it must have one {wanted}, not too deep inside others")
        (graph,) = graphs
        inner = dict(env)
        _define(graph.initializer, inner, self.model)
        self._depth += 1
        self._nodes(graph, inner)
        self._depth -= 1
        return [self._value(info.name, inner, node) for info in graph.output]

    def _output(self, info: ValueInfoProto, env: Env) -> str:
        value = env.get(info.name)
        if isinstance(value, str):
            return value
        if value is None:
            raise GraphError(
                f"{self.model.path}: output {info.name!r} must be computed by some node, none does: the "
                f"file is "
                "damaged, export it again."
            )
        kind = "quantised integers" if isinstance(value, Quantised) else "the same for every image"
        raise UnsupportedError(
            f"{self.model.path}: output {info.name!r} must be floating point and depend on the image, it is "
            f"{kind}: leave it out of the export."
        )

    # --- values ---------------------------------------------------------------------------------------------

    def _value(self, name: str, env: Env, node: NodeProto) -> Value:
        value = env.get(name)
        if value is None:
            reason = f"its input {name!r} is given by no node before it; the file is damaged, export it again"
            raise GraphError(str(refusal(node, self.model.path, reason)))
        if isinstance(value, TensorProto):
            value = env[name] = Fixed(name, self._array(value))
        return value

    def _array(self, tensor: TensorProto) -> NDArray[Any]:
        array = array_of(tensor, self.model.path)
        self._bytes += array.nbytes
        if self._bytes > MOST_WEIGHT_BYTES:
            raise GraphError(
                f"{self.model.path} must hold at most {MOST_WEIGHT_BYTES} bytes of tensors: split it."
            )
        return array

    def place_of(self, node: NodeProto) -> Place:
        self._calls += 1
        return Place(path_of(node), str(self._calls))


def inputs_of(graph: GraphProto) -> list[ValueInfoProto]:
    """The inputs that a caller gives: older files list their weights among them."""
    held = {tensor.name for tensor in graph.initializer}
    return [info for info in graph.input if info.name not in held]


def _define(tensors: Sequence[TensorProto], env: Env, model: Model) -> None:
    for tensor in tensors:
        env[tensor.name] = tensor


def _live(graph: GraphProto) -> tuple[set[int], set[str]]:
    """Numbers of the nodes that an output depends on, and the names that these read."""
    wanted = {info.name for info in graph.output}
    live: set[int] = set()
    for index in reversed(range(len(graph.node))):
        node = graph.node[index]
        if wanted.intersection(node.output):
            live.add(index)
            wanted.update(node.input)
            wanted.update(name for inner in _graphs(node, MOST_DEPTH) for name in _mentioned(inner))
    return live, wanted - {""}


def _graphs(node: NodeProto, depth: int) -> Iterator[GraphProto]:
    """The graphs inside a node, and inside the nodes of those."""
    for attribute in node.attribute if depth else ():
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
            for inner in attribute.g.node:
                yield from _graphs(inner, depth - 1)


def _mentioned(graph: GraphProto) -> set[str]:
    names = {name for node in graph.node for name in node.input}
    return names | {info.name for info in graph.output}
