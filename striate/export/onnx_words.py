"""How each word is written in ONNX's operators (opset 20). A word that is not here is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from striate import ops
from striate.errors import UnsupportedError
from striate.export.onnx import Writer
from striate.graph.graph import Node

Write = Callable[[Writer, Node], object]
WORDS: dict[type[ops.Op], Write] = {}
LAST = 2**63 - 1  # "to the end" in ONNX's Slice
INTEGERS: dict[tuple[int, int], type[np.generic]] = {(-128, 127): np.int8, (0, 255): np.uint8}
MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def says(*words: type[Any]) -> Callable[[Write], Write]:
    def enter(write: Write) -> Write:
        WORDS.update(dict.fromkeys(words, write))
        return write

    return enter


def refuse(node: Node, why: str) -> UnsupportedError:
    return UnsupportedError(f"{node.name} must be a word that ONNX can say, got {node.op}: {why}.")


def along(w: Writer, node: Node, role: str, axis: int, rank: int) -> str:
    """A tensor of one value a channel, shaped so that it broadcasts along ``axis``."""
    array = np.asarray(w.weights[node.weights[role]], np.float32).reshape(-1)
    return w.constant(array.reshape([array.size if a == axis else 1 for a in range(rank)]))


# --- one word, one operator ------------------------------------------------------------------------------

PLAIN: dict[type[ops.Op], str] = {
    ops.Identity: "Identity",
    ops.Dropout: "Identity",
    ops.Negate: "Neg",
    ops.Absolute: "Abs",
    ops.SquareRoot: "Sqrt",
    ops.Exponential: "Exp",
    ops.Logarithm: "Log",
    ops.Sigmoid: "Sigmoid",
    ops.Tanh: "Tanh",
    ops.ReLU: "Relu",
    ops.SELU: "Selu",
    ops.HardSwish: "HardSwish",
    ops.Add: "Add",
    ops.Subtract: "Sub",
    ops.Multiply: "Mul",
    ops.Divide: "Div",
    ops.Power: "Pow",
    ops.Maximum: "Max",
    ops.Minimum: "Min",
}


@says(*PLAIN)
def plain(w: Writer, node: Node) -> None:
    w.add(PLAIN[type(node.op)], *node.inputs, to=node.name)


ATTRIBUTES: dict[type[ops.Op], tuple[str, Callable[[Any], dict[str, Any]]]] = {
    ops.LeakyReLU: ("LeakyRelu", lambda op: {"alpha": op.negative_slope}),
    ops.ELU: ("Elu", lambda op: {"alpha": op.alpha}),
    ops.HardSigmoid: ("HardSigmoid", lambda op: {"alpha": 1 / 6, "beta": 0.5}),
    ops.Softmax: ("Softmax", lambda op: {"axis": op.dim}),
    ops.LogSoftmax: ("LogSoftmax", lambda op: {"axis": op.dim}),
    ops.Concat: ("Concat", lambda op: {"axis": op.dim}),
    ops.Permute: ("Transpose", lambda op: {"perm": op.dims}),
}


@says(*ATTRIBUTES)
def with_attributes(w: Writer, node: Node) -> None:
    kind, attributes = ATTRIBUTES[type(node.op)]
    w.add(kind, *node.inputs, to=node.name, **attributes(node.op))


# --- several operators -----------------------------------------------------------------------------------


@says(ops.Scale)
def scale(w: Writer, node: Node) -> None:
    op: Any = node.op
    (x,), rank = node.inputs, len(w.shapes[node.inputs[0]])
    scaled = w.add("Mul", x, along(w, node, "weight", op.dim % rank, rank), to=None if op.bias else node.name)
    if op.bias:
        w.add("Add", scaled, along(w, node, "bias", op.dim % rank, rank), to=node.name)


@says(ops.FakeQuantize)
def fake_quantize(w: Writer, node: Node) -> None:
    """Quantised and dequantised where ONNX has such integers; else divided, rounded, cut off, multiplied."""
    op: Any = node.op
    (x,), rank = node.inputs, len(w.shapes[node.inputs[0]])
    kind = INTEGERS.get((op.quant_min, op.quant_max))
    points = np.asarray(w.weights[node.weights["zero_point"]])
    if kind is not None and np.array_equal(np.clip(np.round(points), op.quant_min, op.quant_max), points):
        one, axis = op.num_channels == 1, op.dim % rank
        scales = np.asarray(w.weights[node.weights["scale"]])
        laid = () if one else (-1,)
        grid = w.constant(scales.reshape(laid)), w.constant(points.reshape(laid), kind)
        whole = w.add("QuantizeLinear", x, *grid, axis=None if one else axis)
        w.add("DequantizeLinear", whole, *grid, to=node.name, axis=None if one else axis)
        return
    scale, point = (along(w, node, role, op.dim % rank, rank) for role in ("scale", "zero_point"))
    placed = w.add("Add", w.add("Round", w.add("Div", x, scale)), point)
    held = w.add("Clip", placed, w.constant(op.quant_min), w.constant(op.quant_max))
    w.add("Mul", w.add("Sub", held, point), scale, to=node.name)


@says(ops.PReLU)
def prelu(w: Writer, node: Node) -> None:
    rank = len(w.shapes[node.inputs[0]])
    w.add("PRelu", *node.inputs, along(w, node, "weight", min(1, rank - 1), rank), to=node.name)


@says(ops.ReLU6, ops.Clamp)
def clamp(w: Writer, node: Node) -> None:
    low, high = (0.0, 6.0) if isinstance(node.op, ops.ReLU6) else (node.op.min_val, node.op.max_val)  # type: ignore[attr-defined]
    bounds = ["" if bound is None else w.constant(bound) for bound in (low, high)]
    w.add("Clip", *node.inputs, *bounds, to=node.name)


@says(ops.SiLU)
def silu(w: Writer, node: Node) -> None:
    w.add("Mul", *node.inputs, w.add("Sigmoid", *node.inputs), to=node.name)


@says(ops.GELU)
def gelu(w: Writer, node: Node) -> None:
    op: Any = node.op
    if op.approximate == "sigmoid":
        steeper = w.add("Mul", *node.inputs, w.constant(1.702))
        w.add("Mul", *node.inputs, w.add("Sigmoid", steeper), to=node.name)
    else:
        w.add("Gelu", *node.inputs, to=node.name, approximate=op.approximate)


@says(ops.Constant)
def constant(w: Writer, node: Node) -> None:
    w.add("Identity", w.weight(node, "value"), to=node.name)
