"""Every word as ONNX: ONNX Runtime computes what the reference computes, or the word is refused by name."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from striate import ops
from striate.arithmetic import graph_shapes
from striate.errors import ArgumentError, GraphError, RunError, ShapeError, UnsupportedError
from striate.export import onnx_model, with_batch, write_onnx
from striate.graph.graph import Graph, Node
from striate.onnx import read_onnx
from striate.ops.weights import weight_shapes
from striate.reference import run

sys.path.append(str(Path(__file__).parents[1] / "reference"))
from word_examples import EXAMPLES

REFUSED = {"MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"}  # no operator at all
# most examples fold the batch
SELDOM = {"Flatten", "Reshape", "LocalResponseNorm", "Constant", "Slice", "FakeQuantize"}


def session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("name", sorted(ops.WORDS))
def test_a_word_means_the_same_in_onnx(name: str) -> None:
    compared = 0

    often = name in SELDOM or issubclass(ops.WORDS[name], ops.Elementwise)
    examples = 40 if often else 6

    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def search(data: st.DataObject) -> None:
        nonlocal compared
        compared += compare(name, data)

    search()
    assert (compared == 0) == (name in REFUSED)


def compare(name: str, data: st.DataObject) -> bool:
    """Whether the word could be written, and then answered as the reference does."""
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    try:
        example = EXAMPLES[name](data.draw, ops.WORDS[name], rng)
        op, arrays = example.op, [x.astype(np.float32) for x in example.inputs]
        inputs = {f"x{i}": ("N", *x.shape[1:]) for i, x in enumerate(arrays)}
        nodes = [Node("word", op, tuple(inputs), {role: role for role in op.roles})]
        if not inputs:  # a constant is the same for every image, so it must meet one
            inputs = {"x": ("N", 1)}
            arrays = [np.ones((2, 1), np.float32)]
            nodes.append(Node("product", ops.Multiply(), ("x", "word")))
        graph = Graph(inputs, tuple(nodes), (nodes[-1].name,))
        graph_shapes(graph)
    except (ArgumentError, ShapeError):
        return False
    weights = {role: w.astype(np.float32) for role, w in example.weights(rng).items()}
    if min(x.ndim for x in arrays) < 2 or len({len(x) for x in arrays}) > 1:
        return False
    try:
        model = onnx_model(graph, weights)
    except UnsupportedError as error:
        assert f"word must be a word that ONNX can say, got {name}" in str(error)
        return False
    onnx.checker.check_model(model)
    feeds = dict(zip(inputs, arrays, strict=True))
    with np.errstate(all="ignore"):
        expected = run(graph, weights, {k: x.astype(np.float64) for k, x in feeds.items()})
    (found,) = session(model.SerializeToString()).run(None, feeds)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)
    return True


def network() -> tuple[Graph, dict[str, np.ndarray]]:
    words = (
        ops.Conv2d(3, 8, 3, padding="same"),
        ops.BatchNorm(8),
        ops.ReLU(),
        ops.ChannelShuffle(2),
        ops.AdaptiveAvgPool2d(2),
        ops.Flatten(),
        ops.Dropout(),
        ops.Linear(32, 5),
    )
    nodes, before = [], "image"
    for number, op in enumerate(words):
        weights = {role: f"{number}.{role}" for role in op.roles}
        nodes.append(Node(f"n{number}", op, (before,), weights))
        before = nodes[-1].name
    rng = np.random.default_rng(0)
    shapes = {node.weights[role]: s for node in nodes for role, s in weight_shapes(node.op).items()}
    tensors = {name: rng.random(shape).astype(np.float32) for name, shape in shapes.items()}
    return Graph({"image": ("N", 3, 6, 8)}, tuple(nodes), (before,)), tensors


@pytest.mark.parametrize("batch", [None, 4])
def test_a_network_as_a_file(tmp_path: Path, batch: int | None) -> None:
    graph, weights = network()
    path = tmp_path / "net.onnx"
    write_onnx(path, graph, weights, batch=batch)
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]
    loaded = session(path.read_bytes())
    assert loaded.get_inputs()[0].shape == [batch or "N", 3, 6, 8]
    x = np.random.default_rng(1).standard_normal((4, 3, 6, 8)).astype(np.float32)
    (found,) = loaded.run(None, {"image": x})
    np.testing.assert_allclose(found, run(graph, weights, x), rtol=1e-4, atol=1e-5)


def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"net\.onnx cannot be written"):
        write_onnx(tmp_path / "file" / "net.onnx", *network())


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """To a file, another batch, and back into words: the same answers."""
    graph, weights = network()
    write_onnx(tmp_path / "net.onnx", graph, weights)
    with_batch(tmp_path / "net.onnx", tmp_path / "two.onnx", 2)
    x = np.random.default_rng(1).standard_normal((2, 3, 6, 8)).astype(np.float32)
    expected = run(graph, weights, x)
    assert session((tmp_path / "two.onnx").read_bytes()).get_inputs()[0].shape == [2, 3, 6, 8]
    for name in ("net.onnx", "two.onnx"):
        np.testing.assert_allclose(run(*read_onnx(tmp_path / name), x), expected, rtol=1e-5)
    (tmp_path / "none.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(GraphError, match="must be an ONNX file"):
        with_batch(tmp_path / "none.onnx", tmp_path / "x.onnx", 2)
