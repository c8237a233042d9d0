"""A graph of words as an ONNX file, without torch: each word becomes the operators that mean the same.

What a word needs beyond ONNX's own operators is a stated refusal (UnsupportedError), never an approximation.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from striate.arithmetic import graph_shapes
from striate.errors import GraphError, UnsupportedError
from striate.graph.graph import Graph, Node
from striate.graph.tensors import check_tensors
from striate.runs import write_atomically, writing

OPSET = 20  # the first with Gelu; ONNX 1.15, November 2023
LARGEST = 2**31 - 1  # bytes of a protobuf message


class Writer:
    """Nodes and tensors of the file as they come about. ``shapes``: of every value, the batch included."""

    def __init__(self, graph: Graph, weights: Mapping[str, np.ndarray]) -> None:
        self.shapes = graph_shapes(graph)
        self.weights = weights
        self.nodes: list[Any] = []
        self.tensors: dict[str, np.ndarray] = {}
        self._made = 0

    def add(self, kind: str, *inputs: str, to: str | None = None, **attributes: Any) -> str:
        """One ONNX node; the name of its value, which is ``to`` or a fresh one."""
        from onnx import helper

        name = to or self._fresh(kind.lower())
        given = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=f"{name}/{kind}", **given))
        return name

    def constant(self, value: Any, kind: type[np.generic] = np.float32) -> str:
        name = self._fresh("constant")
        self.tensors[name] = np.asarray(value, kind)
        return name

    def integers(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def weight(self, node: Node, role: str) -> str:
        """The tensor of a role, once in the file however many nodes share it."""
        name = node.weights[role]
        self.tensors[name] = np.asarray(self.weights[name], np.float32)
        return name

    def _fresh(self, what: str) -> str:
        self._made += 1
        return f"{what}:{self._made}"  # a node's own name has no colon


def onnx_model(graph: Graph, weights: Mapping[str, np.ndarray], *, batch: int | None = None) -> Any:
    """The graph as an ``onnx.ModelProto``, opset 20; ``batch``: a fixed number of images, None: any.

    Raises UnsupportedError naming the node and the word that ONNX has no operator for.
    """
    from onnx import TensorProto, helper, numpy_helper

    from striate.export import onnx_layers, onnx_moves, onnx_windows  # noqa: F401  they enter their words
    from striate.export.onnx_words import WORDS

    check_tensors(graph, weights)
    writer = Writer(graph, weights)
    for node in graph:
        write = WORDS.get(type(node.op))
        if write is None:
            raise UnsupportedError(f"{node.name} must be a word that ONNX can say, got {node.op}: remove it.")
        write(writer, node)

    def value(name: str, shape: tuple[int | str, ...]) -> Any:
        sizes = [batch if axis == 0 and batch is not None else size for axis, size in enumerate(shape)]
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)

    inputs = [value(name, ("N", *shape[1:])) for name, shape in graph.inputs.items()]
    outputs = [value(name, ("N", *writer.shapes[name][1:])) for name in graph.outputs]
    tensors = [numpy_helper.from_array(array, name) for name, array in writer.tensors.items()]
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(
        helper.make_graph(writer.nodes, "striate", inputs, outputs, tensors),
        opset_imports=[opset],
        ir_version=helper.find_min_ir_version_for([opset]),
        producer_name="striate",
    )


def write_onnx(
    path: str | Path, graph: Graph, weights: Mapping[str, np.ndarray], *, batch: int | None = None
) -> None:
    """Write ``onnx_model`` to a file, checked by ONNX's own checker; atomically. Raises as ``onnx_model``.

    Also RunError where the file cannot be written, UnsupportedError above 2 GB.
    """
    import onnx

    model = onnx_model(graph, weights, batch=batch)
    if model.ByteSize() > LARGEST:
        raise UnsupportedError(
            f"an ONNX file must stay below 2 GB, this network takes {model.ByteSize():,} bytes: ship a "
            "bundle."
        )
    onnx.checker.check_model(model)
    with writing(Path(path)):
        write_atomically(Path(path), model.SerializeToString())


def with_batch(source: str | Path, target: str | Path, batch: int) -> None:
    """The same ONNX file for ``batch`` images, unless its inner nodes state another number.

    Raises GraphError for what is no ONNX file, RunError where the target cannot be written.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(source))
    except (OSError, DecodeError) as error:
        raise GraphError(
            f"{source} must be an ONNX file, it cannot be read ({error}): export it again."
        ) from None
    fed = {tensor.name for tensor in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.output):
        shape = value.type.tensor_type.shape
        if value.name not in fed and len(shape.dim):
            shape.dim[0].dim_value = batch
    del model.graph.value_info[:]  # inner shapes of another batch
    with writing(Path(target)):
        write_atomically(Path(target), model.SerializeToString())
