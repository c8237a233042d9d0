"""How words that move values, or sum them up, are written in ONNX."""

from __future__ import annotations

from math import prod
from typing import Any

from striate import ops
from striate.export.onnx import Writer
from striate.export.onnx_words import LAST, refuse, says
from striate.graph.graph import Node


@says(ops.Flatten, ops.Reshape)
def reshape(w: Writer, node: Node) -> None:
    """The batch stays open: 0 keeps it, and the other sizes are those that were derived."""
    sizes = w.shapes[node.name][1:]
    if any(isinstance(size, str) for size in sizes):
        raise refuse(node, f"its sizes must be numbers, got {sizes}")
    if w.shapes[node.name][0] != w.shapes[node.inputs[0]][0]:
        raise refuse(node, "it folds the batch into other axes")
    if prod(int(size) for size in sizes) == 0:
        raise refuse(node, "an empty map has no size that 0 could keep")
    w.add("Reshape", *node.inputs, w.integers(0, *map(int, sizes)), to=node.name)


@says(ops.Mean, ops.Sum)
def reduce(w: Writer, node: Node) -> None:
    op: Any = node.op
    kind = "ReduceMean" if isinstance(op, ops.Mean) else "ReduceSum"
    w.add(kind, *node.inputs, w.integers(*op.dim), to=node.name, keepdims=int(op.keepdim))


@says(ops.Slice)
def cut(w: Writer, node: Node) -> None:
    op: Any = node.op
    end = LAST if op.end is None else op.end
    places = [w.integers(number) for number in (op.start, end, op.dim, op.step)]
    w.add("Slice", *node.inputs, *places, to=node.name)


@says(ops.ChannelShuffle)
def shuffle(w: Writer, node: Node) -> None:
    op: Any = node.op
    channels, *space = w.shapes[node.inputs[0]][1:]
    if any(isinstance(size, str) for size in (channels, *space)):
        raise refuse(node, "its sizes must be numbers")
    split = w.integers(0, op.groups, int(channels) // op.groups, *map(int, space))
    apart = w.add("Reshape", *node.inputs, split)
    crossed = w.add("Transpose", apart, perm=[0, 2, 1, *range(3, 3 + len(space))])
    w.add("Reshape", crossed, w.integers(0, int(channels), *map(int, space)), to=node.name)


@says(ops.Upsample)
def upsample(w: Writer, node: Node) -> None:
    """As torch's exporter writes it: pixels' corners aligned, their centres, or the nearest below."""
    op: Any = node.op
    scales = ""
    if op.scale_factor is not None:
        factors = op.scale_factor * (len(w.shapes[node.name]) - 2 if len(op.scale_factor) == 1 else 1)
        scales = w.constant([1.0, 1.0, *factors])
    sizes = [] if scales else [w.integers(*map(int, w.shapes[node.name][2:]))]
    mode = "nearest" if op.mode == "nearest" else "linear"
    how = "align_corners" if op.align_corners else "half_pixel" if mode == "linear" else "asymmetric"
    more: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": how, "nearest_mode": "floor"}
    if sizes:
        more["axes"] = list(range(2, len(w.shapes[node.name])))
    w.add("Resize", *node.inputs, "", scales, *sizes, to=node.name, **more)
