"""Padding put where it costs nothing: zeros belong to the convolution that reads them, all else stands alone.

A Pad of zeros before a convolution is that convolution's own padding (TensorFlow's "same" for strides of 2
arrives like that); a convolution that pads by reflection or repetition is such a Pad and one without padding.
"""

from __future__ import annotations

from dataclasses import replace

from striate import ops
from striate.graph.graph import Graph, Node
from striate.ops.convolution import Conv


def settled(graph: Graph) -> Graph:
    """The same network with every padding in its place."""
    return _with_own_zeros(_with_pads_apart(graph))


def _with_pads_apart(graph: Graph) -> Graph:
    names = {node.name for node in graph} | set(graph.inputs)
    nodes: list[Node] = []
    for node in graph:
        op = node.op
        if isinstance(op, Conv) and op.padding_mode != "zeros" and any(map(any, op.pads)):
            name = f"{node.name}.padding"
            while name in names:
                name += "#"
            names.add(name)
            nodes.append(Node(name, ops.Pad(op.pads, op.padding_mode), node.inputs, source=node.source))
            node = replace(node, op=replace(op, padding=(0,) * op.axes, padding_mode="zeros"), inputs=(name,))
        nodes.append(node)
    return Graph(graph.inputs, tuple(nodes), graph.outputs)


def _with_own_zeros(graph: Graph) -> Graph:
    pads: dict[str, tuple[str, ops.Pad]] = {}
    nodes: list[Node] = []
    for node in graph:
        op = node.op
        if isinstance(op, ops.Pad) and node.name not in graph.outputs and _joins(op, graph, node.name):
            pads[node.name] = node.inputs[0], op
            continue
        if node.inputs and node.inputs[0] in pads and isinstance(op, Conv):
            source, pad = pads[node.inputs[0]]
            sides = ((0, 0),) * (op.axes - len(pad.padding)) + pad.padding
            sums = tuple((a + c, b + d) for (a, b), (c, d) in zip(op.pads, sides, strict=True))
            node = replace(node, op=replace(op, padding=sums), inputs=(source,))
        nodes.append(node)
    return Graph(graph.inputs, tuple(nodes), graph.outputs)


def _joins(pad: ops.Pad, graph: Graph, name: str) -> bool:
    """Whether the padding is zeros on spatial axes, and only convolutions that pad with zeros read it."""
    readers = [node.op for node in graph.consumers(name)]
    zeros = pad.mode == "zeros" and pad.value == 0 and min(min(pair) for pair in pad.padding) >= 0
    return (
        zeros
        and bool(readers)
        and all(
            isinstance(op, Conv) and op.padding_mode == "zeros" and len(pad.padding) <= op.axes
            for op in readers
        )
    )
