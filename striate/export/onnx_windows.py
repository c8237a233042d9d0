"""How sliding windows and padding are written in ONNX."""

from __future__ import annotations

from typing import Any

from striate import ops
from striate.export.onnx import Writer
from striate.export.onnx_words import MODES, refuse, says
from striate.graph.graph import Node


def window(op: Any) -> dict[str, Any]:
    """Kernel, stride, dilation and padding as attributes; ONNX lists all sides before, then all after."""
    found = {"kernel_shape": op.kernel_size, "strides": op.stride}
    found["pads"] = [side[end] for end in (0, 1) for side in op.pads]
    dilation = getattr(op, "dilation", None)
    return found | ({"dilations": dilation} if dilation else {})


@says(ops.Conv1d, ops.Conv2d, ops.Conv3d)
def convolution(w: Writer, node: Node) -> None:
    op: Any = node.op
    x, attributes = node.inputs[0], window(op)
    if op.padding_mode != "zeros":
        x = padded(w, x, op.pads, MODES[op.padding_mode], 0.0)
        attributes["pads"] = [0] * (2 * op.axes)
    weights = [w.weight(node, role) for role in op.roles]
    w.add("Conv", x, *weights, to=node.name, group=op.groups, **attributes)


@says(ops.ConvTranspose1d, ops.ConvTranspose2d, ops.ConvTranspose3d)
def transposed(w: Writer, node: Node) -> None:
    op: Any = node.op
    if any(extra >= stride for extra, stride in zip(op.output_padding, op.stride, strict=True)):
        raise refuse(node, "ONNX Runtime wants output_padding to be below the stride")
    weights = [w.weight(node, role) for role in op.roles]
    more = {"group": op.groups, "output_padding": op.output_padding}
    w.add("ConvTranspose", *node.inputs, *weights, to=node.name, **window(op), **more)


@says(ops.MaxPool1d, ops.MaxPool2d, ops.MaxPool3d, ops.MinPool1d, ops.MinPool2d, ops.MinPool3d)
def extreme(w: Writer, node: Node) -> None:
    op: Any = node.op
    if op.return_indices:
        raise refuse(node, "its indices count within a plane, those of ONNX within the tensor")
    attributes = window(op) | {"ceil_mode": int(op.ceil_mode)}
    if type(op).__name__.startswith("Max"):
        w.add("MaxPool", *node.inputs, to=node.name, **attributes)
    else:
        w.add("Neg", w.add("MaxPool", w.add("Neg", *node.inputs), **attributes), to=node.name)


@says(ops.AvgPool1d, ops.AvgPool2d, ops.AvgPool3d)
def average(w: Writer, node: Node) -> None:
    op: Any = node.op
    if op.divisor_override is not None:
        raise refuse(node, "AveragePool has no divisor of one's own")
    attributes = window(op) | {"ceil_mode": int(op.ceil_mode)}
    w.add(
        "AveragePool", *node.inputs, to=node.name, **attributes, count_include_pad=int(op.count_include_pad)
    )


@says(ops.AdaptiveAvgPool1d, ops.AdaptiveAvgPool2d, ops.AdaptiveAvgPool3d)
@says(ops.AdaptiveMaxPool1d, ops.AdaptiveMaxPool2d, ops.AdaptiveMaxPool3d)
def adaptive(w: Writer, node: Node) -> None:
    """Windows of equal size where the sizes divide; others have no operator."""
    op: Any = node.op
    kind = "Max" if "Max" in type(op).__name__ else "Average"
    sizes, wanted = w.shapes[node.inputs[0]][2:], w.shapes[node.name][2:]
    if getattr(op, "return_indices", False):
        raise refuse(node, "its indices count within a plane, those of ONNX within the tensor")
    if set(wanted) == {1}:
        w.add(f"Global{kind}Pool", *node.inputs, to=node.name)
        return
    if any(isinstance(a, str) or isinstance(b, str) or a % b for a, b in zip(sizes, wanted, strict=True)):
        raise refuse(node, f"its windows differ in size where {sizes} become {wanted}")
    kernel = [int(a) // int(b) for a, b in zip(sizes, wanted, strict=True)]
    w.add(f"{kind}Pool", *node.inputs, to=node.name, kernel_shape=kernel, strides=kernel)


def padded(w: Writer, x: str, sides: Any, mode: str, value: float, to: str | None = None) -> str:
    spare = len(w.shapes[x]) - len(sides)
    pads = [*[0] * spare, *(a for a, _ in sides), *[0] * spare, *(b for _, b in sides)]
    return w.add("Pad", x, w.integers(*pads), w.constant(value), to=to, mode=mode)


@says(ops.Pad)
def pad(w: Writer, node: Node) -> None:
    op: Any = node.op
    padded(w, node.inputs[0], op.padding, MODES[op.mode], op.value, node.name)
