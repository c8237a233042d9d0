"""From a graph to its explanation: the numbers of every layer, gathered from arithmetic."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from striate.arithmetic import (
    CONVENTION,
    Cost,
    Derived,
    Field,
    InputShape,
    Parameters,
    cost,
    derive,
    graph_fields,
    graph_parameters,
    graph_shapes,
    inputs_of,
    parameters,
)
from striate.explanation.explanation import Explanation, Row, Totals
from striate.graph import Graph, Node, Shape
from striate.ops import RBF, AdaptivePool, Linear, Op, Window

COUNTS = ("in_channels", "out_channels", "in_features", "out_features", "num_features", "num_channels")
PER_AXIS = ("kernel_size", "stride", "padding", "output_padding", "dilation", "output_size")
RESIZE = ("size", "scale_factor")


def explain_graph(
    graph: Graph, input_shape: InputShape = None, trainable: Collection[str] | None = None
) -> Explanation:
    """Derive every number of ``graph``.

    ``input_shape``: None takes the graph's own; a shape with or without the batch; a mapping for several
    inputs. ``trainable``: names of the tensors that are learned (None: all but statistics and constants).
    Raises ShapeError, naming the layer, where the network does not fit its input.
    """
    shapes = graph_shapes(graph, input_shape)
    derived = derive(graph, input_shape)
    seen = graph_fields(graph, input_shape)
    counted = graph_parameters(graph, trainable)
    rows = [
        _row(node, shapes, derived[node.name], seen[node.name], counted, cost(node.op, _given(node, shapes)))
        for node in graph
    ]
    inputs = inputs_of(graph, input_shape)
    dense = sum(counted.by_node[node.name] for node in graph if isinstance(node.op, (Linear, RBF)))
    return Explanation(inputs, tuple(rows), _totals(rows, counted, dense), _convention(inputs))


def _given(node: Node, shapes: Mapping[str, Shape]) -> list[Shape]:
    return [shapes[value.removesuffix(":0")] for value in node.inputs]


def _row(
    node: Node,
    shapes: Mapping[str, Shape],
    derived: Derived,
    field: Field | None,
    counted: Parameters,
    price: Cost,
) -> Row:
    learned = parameters(node.op)
    return Row(
        name=node.name,
        word=type(node.op).__name__,
        call=call(node.op),
        inputs=tuple(zip(node.inputs, _given(node, shapes), strict=True)),
        outputs=derived.shapes,
        parameters=counted.by_node[node.name],
        multiply_adds=price.multiply_adds.result,
        bias_additions=price.bias_additions,
        other_operations=price.other_operations,
        activation_bytes=price.activation_bytes,
        field=field,
        derivations=(
            *derived.derivations,
            *(number for number in (learned, price.multiply_adds) if number.result),
            *(field.derivations if field else ()),
        ),
        remarks=(*_tensor_remarks(node.name, learned.result, counted), *(field.notes if field else ())),
    )


def _tensor_remarks(name: str, learned: int, counted: Parameters) -> tuple[str, ...]:
    """Why a layer brings fewer parameters than its own formula says."""
    if name in counted.shared and learned:
        return (f"it shares tensors with {counted.shared[name]}, where they are counted",)
    fixed = learned - counted.by_node[name]
    return (f"{fixed:,} of its {learned:,} values are fixed, not learned",) if fixed else ()


def call(op: Op) -> str:
    """The word as one would write it, without what is at its default: ``Conv2d(1, 6, kernel_size=5)``."""
    written = []
    for field in fields(op):
        value, default = _short(op, field.name), field.default
        if field.name == "stride" and default is None:  # pools: the kernel size
            default = _short(op, "kernel_size")
        if field.name in COUNTS:
            written.append(repr(value))
        elif value != default:
            written.append(f"{field.name}={value!r}")
    return f"{type(op).__name__}({', '.join(written)})"


def _short(op: Op, name: str) -> Any:
    """A field's value, with one number for all axes where they agree."""
    value = getattr(op, name)
    of_axes = name in PER_AXIS and isinstance(op, (Window, AdaptivePool))
    equal = isinstance(value, tuple) and len(set(value)) == 1 and not isinstance(value[0], tuple)
    return value[0] if equal and (of_axes or (name in RESIZE and len(value) == 1)) else value


def _totals(rows: list[Row], counted: Parameters, dense: int) -> Totals:
    multiply_adds = sum(row.multiply_adds for row in rows)
    return Totals(
        parameters=counted.trainable,
        stored=counted.stored,
        multiply_adds=multiply_adds,
        flops=2 * multiply_adds,
        bias_additions=sum(row.bias_additions for row in rows),
        other_operations=sum(row.other_operations for row in rows),
        activation_bytes=sum(row.activation_bytes for row in rows),
        head_share=dense / counted.trainable if counted.trainable else 0.0,
    )


def _convention(inputs: dict[str, Any]) -> str:
    batch = next((shape[0] for shape in inputs.values() if shape), 1)
    images = "one image" if batch == 1 or isinstance(batch, str) else f"a batch of {batch} images"
    return CONVENTION.replace("one image", images)
