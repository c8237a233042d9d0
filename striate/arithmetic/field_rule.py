"""The receptive field of every word (``output_field``) and of every node of a network (``graph_fields``).

The families stand in ``field_window`` and ``field_move``, entered in ``rule``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch

from striate.arithmetic.derivation import Derived
from striate.arithmetic.field import Field, field_of_image, plain, relayout, runs_along_image
from striate.arithmetic.field_join import join
from striate.arithmetic.whole import InputShape, derive, inputs_of, value_of
from striate.errors import UnsupportedError
from striate.graph import Graph, Shape, owner
from striate.ops import Constant, Op

Shapes = Sequence[Shape]


def graph_fields(graph: Graph, input_shape: InputShape = None) -> dict[str, Field | None]:
    """The receptive field of every graph input and node, measured on the first input (N, C, *sizes).

    None for values that do not depend on it. Raises ShapeError where the network does not fit its input, or
    where the input has a symbol for a spatial size.
    """
    inputs = inputs_of(graph, input_shape)
    shapes = {name: Derived((shape,)) for name, shape in inputs.items()} | derive(graph, input_shape)
    fields: dict[str, Field | None] = dict.fromkeys(inputs)
    for name, shape in list(inputs.items())[:1]:
        fields[name] = field_of_image(shape)
    for node in graph:
        sources = [fields[owner(value)] for value in node.inputs]
        given = [value_of(shapes, value) for value in node.inputs]
        fields[node.name] = output_field(node.op, sources, given, shapes[node.name].shape)
    return fields


def output_field(op: Op, fields: Sequence[Field | None], inputs: Shapes, output: Shape) -> Field | None:
    """The field of what ``op`` gives out, from those of its inputs and the shapes on both sides."""
    seeing = [replace(field, notes=(), derivations=()) for field in fields if field is not None]
    if not seeing:
        return None
    field = seeing[0]
    for other in seeing[1:]:
        field = join(field, other)
    if len(field.layout) < len(output) and op.arity == 2:  # broadcast against a constant of more axes
        field = replace(field, layout=((),) * (len(output) - len(field.layout)) + field.layout)
    result = rule(op, field, inputs[0], output)
    for axis, size in enumerate(output):
        if not runs_along_image(result.layout[axis]):
            result = relayout(result, axis, plain(size))
    return result


@singledispatch
def rule(op: Op, field: Field, x: Shape, y: Shape) -> Field:
    """One function for each family, found by the word's class; ``x`` and ``y`` are input and output shape."""
    raise UnsupportedError(
        f"op must be a word with a receptive field, got {type(op).__name__}: add one with @rule.register."
    )


def has_field(word: type[Op]) -> bool:
    """Whether a word has a field rule; a constant sees nothing and needs none."""
    return word is Constant or rule.dispatch(word) is not rule.dispatch(object)
