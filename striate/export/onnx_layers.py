"""How dense layers and normalisations are written in ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np

from striate import ops
from striate.export.onnx import Writer
from striate.export.onnx_words import along, refuse, says
from striate.graph.graph import Node


@says(ops.Linear)
def linear(w: Writer, node: Node) -> None:
    op: Any = node.op
    (x,) = node.inputs
    weights = [w.weight(node, role) for role in op.roles]
    if len(w.shapes[x]) == 2:
        w.add("Gemm", x, *weights, to=node.name, transB=1)
        return
    product = w.add("Transpose", weights[0], perm=[1, 0])
    product = w.add("MatMul", x, product, to=None if op.bias else node.name)
    if op.bias:
        w.add("Add", product, weights[1], to=node.name)


@says(ops.RBF)
def radial(w: Writer, node: Node) -> None:
    difference = w.add("Sub", w.add("Unsqueeze", *node.inputs, w.integers(-2)), w.weight(node, "weight"))
    squares = w.add("Mul", difference, difference)
    w.add("ReduceSum", squares, w.integers(-1), to=node.name, keepdims=0)


@says(ops.BatchNorm)
def batch_norm(w: Writer, node: Node) -> None:
    op: Any = node.op
    features = op.num_features
    ones = [w.constant(np.ones(features)), w.constant(np.zeros(features))] if not op.affine else []
    tensors = ones + [w.weight(node, role) for role in op.roles]
    w.add("BatchNormalization", *node.inputs, *tensors, to=node.name, epsilon=op.eps)


@says(ops.LayerNorm)
def layer_norm(w: Writer, node: Node) -> None:
    """ONNX normalises the last axis, so channels go there and back."""
    op: Any = node.op
    (x,), rank = node.inputs, len(w.shapes[node.inputs[0]])
    axis = op.dim % rank
    away = [a for a in range(rank) if a != axis] + [axis]
    last = axis == rank - 1
    scale = w.weight(node, "weight") if op.affine else w.constant(np.ones(op.num_channels))
    tensors = [scale, *([w.weight(node, "bias")] if "bias" in op.roles else [])]
    moved = x if last else w.add("Transpose", x, perm=away)
    found = w.add(
        "LayerNormalization", moved, *tensors, to=node.name if last else None, axis=-1, epsilon=op.eps
    )
    if not last:
        w.add("Transpose", found, to=node.name, perm=list(np.argsort(away)))


@says(ops.GlobalResponseNorm)
def global_response(w: Writer, node: Node) -> None:
    op: Any = node.op
    (x,), rank = node.inputs, len(w.shapes[node.inputs[0]])
    axis = op.dim % rank
    space = [a for a in range(1, rank) if a != axis]
    length = w.add("ReduceL2", x, w.integers(*space), keepdims=1)
    mean = w.add("ReduceMean", length, w.integers(axis), keepdims=1)
    share = w.add("Div", length, w.add("Add", mean, w.constant(op.eps)))
    scale, bias = (along(w, node, role, axis, rank) for role in ("weight", "bias"))
    scaled = w.add("Mul", w.add("Mul", x, share), scale)
    w.add("Add", w.add("Add", scaled, bias), x, to=node.name)


@says(ops.LocalResponseNorm)
def local_response(w: Writer, node: Node) -> None:
    op: Any = node.op
    if op.size % 2 == 0:
        raise refuse(node, "torch and ONNX place an even number of neighbours differently")
    if len(w.shapes[node.name]) != 4:
        raise refuse(node, "ONNX Runtime computes it for maps (N, C, H, W) only")
    w.add("LRN", *node.inputs, to=node.name, size=op.size, alpha=op.alpha, beta=op.beta, bias=op.k)
