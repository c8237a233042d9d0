"""Small ONNX files and bundles, and ways to damage them: seeded, so that a failure can be repeated."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path

import numpy as np
from onnx import AttributeProto, ModelProto, TensorProto, helper
from onnx_world import model_of, node

from striate.arithmetic import graph_shapes
from striate.errors import StriateError
from striate.graph import Graph
from striate.onnx.file import parse_model
from striate.onnx.network import words_of
from striate.reference import run

MOST_MEMORY = 2**28  # bytes that reading a file of some kilobytes may take
MOST_TO_RUN = 2**18  # values of all layers of a damaged network that is run as well
HUGE = (0, 1, -1, 2, 3, 7, 255, 2**16, 2**31 - 1, 2**31, 2**40, 2**60, 2**62, -(2**31), -(2**60))
OPERATORS = ("Conv", "Relu", "MaxPool", "Reshape", "Tile", "Expand", "Resize", "Pad", "Concat", "Gather",
"If", "Loop",
             "Softmax", "Gemm", "ConstantOfShape", "Range", "Transpose", "Split", "Nonsense", "Constant",
             "Shape")  # fmt: skip


def models() -> list[ModelProto]:
    """One with shape arithmetic, one with quantised values and a branch, one of joins and resizing."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    first = model_of(
        [
            node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2], name="conv"),
            node("Relu", ["c"], ["r"]),
            node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Shape", ["p"], ["s"]),
            node("Gather", ["s", "zero"], ["n"], axis=0),
            node("Unsqueeze", ["n", "axes"], ["u"]),
            node("Concat", ["u", "minus"], ["t"], axis=0),
            node("Reshape", ["p", "t"], ["f"]),
            node("Gemm", ["f", "g"], ["y"], transB=1),
        ],
        ("n", 3, 8, 8),
        {"w": draw(4, 3, 3, 3), "b": draw(4), "zero": np.int64(0), "axes": np.array([0]), "minus":
        np.array([-1]),
         "g": draw(5, 16)},
    )  # fmt: skip
    branch = helper.make_graph(
        [node("Relu", ["d"], ["o"])],
        "then",
        [],
        [helper.make_tensor_value_info("o", TensorProto.FLOAT, None)],
    )
    other = helper.make_graph(
        [node("Neg", ["d"], ["o2"])],
        "else",
        [],
        [helper.make_tensor_value_info("o2", TensorProto.FLOAT, None)],
    )
    second = model_of(
        [
            node("QuantizeLinear", ["x", "scale", "point"], ["q"]),
            node("DequantizeLinear", ["q", "scale", "point"], ["d"]),
            node("If", ["yes"], ["i"], then_branch=branch, else_branch=other),
            node("ReduceMean", ["i"], ["y"], axes=[2, 3], keepdims=0),
        ],
        (1, 3, 4, 4),
        {"scale": np.float32(0.1), "point": np.int8(3), "yes": np.bool_(True)},
    )
    third = model_of(
        [
            node("Pad", ["x", "pads"], ["p"]),
            node("Split", ["p", "parts"], ["a", "b"], axis=1),
            node("Concat", ["b", "a"], ["c"], axis=1),
            node("ConstantOfShape", ["size"], ["ones"], value=helper.make_tensor("v", TensorProto.FLOAT,
            [1], [1.0])), node("Mul", ["c", "ones"], ["m"]),
            node("Tile", ["m", "times"], ["t"]),
            node("Resize", ["t", "", "scales"], ["z"], coordinate_transformation_mode="asymmetric",
            nearest_mode="floor"), node("Transpose", ["z"], ["y"], perm=[0, 2, 3, 1]),
        ],
        ("n", 4, 3, 3),
        {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "parts": np.array([1, 3]), "size": np.array([1, 4, 5,
        5]),
         "times": np.array([1, 1, 2, 1]), "scales": np.array([1, 1, 2, 2], np.float32)},
    )  # fmt: skip
    return [first, second, third]


# --- ways to damage a file ----------------------------------------------------------------------------------

Damage = Callable[[random.Random, ModelProto], bytes]


def cut(rng: random.Random, model: ModelProto) -> bytes:
    content = model.SerializeToString()
    return content[: rng.randrange(len(content))]


def flipped(rng: random.Random, model: ModelProto) -> bytes:
    content = bytearray(model.SerializeToString())
    for _ in range(rng.choice((1, 1, 2, 8))):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content)


def number(rng: random.Random, model: ModelProto) -> bytes:
    """An attribute, a size or an entry of a small tensor becomes a number that hurts."""
    graph, value = model.graph, rng.choice(HUGE)
    entry = rng.choice(graph.node)
    integers = [a for a in entry.attribute if a.type in (AttributeProto.INT, AttributeProto.INTS)]
    kind = rng.randrange(3)
    if kind == 0 and integers:
        attribute = rng.choice(integers)
        if attribute.type == AttributeProto.INT:
            attribute.i = value
        elif attribute.ints:
            attribute.ints[rng.randrange(len(attribute.ints))] = value
    elif kind == 1:
        tensor = rng.choice(graph.initializer)
        if tensor.dims and rng.random() < 0.5:
            tensor.dims[rng.randrange(len(tensor.dims))] = value
        elif tensor.data_type == TensorProto.INT64 and tensor.raw_data:
            array = np.frombuffer(tensor.raw_data, np.int64).copy()
            array[rng.randrange(array.size)] = value
            tensor.raw_data = array.tobytes()
        else:
            tensor.data_type = rng.randrange(24)
    else:
        dims = graph.input[0].type.tensor_type.shape.dim
        dims[rng.randrange(len(dims))].dim_value = value
    return model.SerializeToString()


def wired(rng: random.Random, model: ModelProto) -> bytes:
    """Nodes exchanged, doubled, renamed, connected otherwise, in a circle, or made to do something else."""
    nodes = model.graph.node
    entry, names = (
        rng.choice(nodes),
        [name for one in nodes for name in (*one.input, *one.output)] + ["x", ""],
    )
    match rng.randrange(7):
        case 0:
            entry.op_type = rng.choice(OPERATORS)
        case 1 if entry.input:
            entry.input[rng.randrange(len(entry.input))] = rng.choice(names)
        case 2:
            entry.output[0] = rng.choice(names)
        case 3:
            nodes.append(entry)
        case 4:
            first, second = rng.randrange(len(nodes)), rng.randrange(len(nodes))
            kept = [one.SerializeToString() for one in (nodes[first], nodes[second])]
            nodes[first].ParseFromString(kept[1])
            nodes[second].ParseFromString(kept[0])
        case 5 if entry.attribute:
            attribute = rng.choice(entry.attribute)
            attribute.type = rng.choice((1, 2, 3, 4, 5, 6, 7, 8, 9, 10))
        case _:
            model.opset_import[0].version = rng.randrange(0, 40)
    return model.SerializeToString()


DAMAGES: tuple[Damage, ...] = (cut, flipped, number, wired)


def damaged(seed: int) -> bytes:
    rng = random.Random(seed)
    model = ModelProto()
    model.CopyFrom(rng.choice(models()))
    return DAMAGES[seed % len(DAMAGES)](rng, model)


# --- what may come of it ------------------------------------------------------------------------------------


def survives(content: bytes) -> str:
    """ "read", "run" or "refused"; anything else, a traceback or much memory, fails the test."""
    tracemalloc.start()
    try:
        graph, weights = words_of(parse_model(content, Path("net.onnx")))
        outcome = _run(graph, weights)
    except StriateError as error:
        outcome = "refused"
        assert len(str(error)) > 20
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < MOST_MEMORY, f"{peak} bytes"
    return outcome


def _run(graph: Graph, weights: dict[str, np.ndarray]) -> str:
    """Networks that stayed small are run for one image."""
    shapes = graph_shapes(graph)
    sizes = [prod(int(size) for size in shape[1:]) for shape in shapes.values()]
    if sum(sizes) > MOST_TO_RUN or any(
        isinstance(s, str) for shape in graph.inputs.values() for s in shape[1:]
    ):
        return "read"
    run(graph, weights, {name: np.ones((1, *shape[1:])) for name, shape in graph.inputs.items()})
    return "run"


def seeds(count: int, start: int = 0) -> Iterator[int]:
    yield from range(start, start + count)
