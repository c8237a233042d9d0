"""ONNX files made by hand, and what ONNX Runtime makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

import striate
from striate.graph import Graph
from striate.onnx import read_onnx
from striate.reference import run

node = helper.make_node


def model_of(
    nodes: Sequence[NodeProto],
    shape: Sequence[int | str | None],
    tensors: Mapping[str, Any] | None = None,
    *,
    opset: int = 17,
    outputs: Sequence[str] | None = None,
    kind: int = TensorProto.FLOAT,
) -> ModelProto:
    """A graph of one input ``x`` whose last node's first output is the result."""
    names = outputs or [nodes[-1].output[0]]
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (tensors or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def saved(model: ModelProto, folder: Path) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def theirs(path: Path, x: np.ndarray, *, optimised: bool = True) -> list[np.ndarray]:
    """ONNX Runtime's outputs."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, {session.get_inputs()[0].name: x}))


def agrees(
    model: ModelProto, x: np.ndarray, folder: Path, *, tolerance: float = 2e-5, size: Any = None
) -> Graph:
    """The definition in float64 and the engine give what ONNX Runtime gives; the graph that was read."""
    path = saved(model, folder)
    expected = theirs(path, x)
    graph, weights = read_onnx(path, size)
    defined = run(graph, weights, x.astype(np.float64))
    answered = striate.load(path, threads=1, input=size)(x)
    for found in (defined, answered):
        results = found if isinstance(found, tuple) else (found,)
        assert len(results) == len(expected)
        for result, wanted in zip(results, expected, strict=True):
            assert result.shape == wanted.shape
            scale = max(1.0, float(np.abs(wanted).max(initial=0)))
            np.testing.assert_allclose(result, wanted, rtol=tolerance, atol=tolerance * scale)
    return graph


def words(graph: Graph) -> Counter[str]:
    return Counter(type(entry.op).__name__ for entry in graph)


def image(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


__all__ = ["agrees", "image", "model_of", "node", "onnx", "saved", "theirs", "words"]
