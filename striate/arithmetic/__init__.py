"""NUMBERS: sizes, parameters, cost and receptive field of words and graphs, each with its derivation.

    derivation   a number with its reason
    shape        output sizes of every word; by family: shape_window, shape_resize, shape_move, shape_join
    whole        a whole graph: all shapes, the layer that fails, the smallest input
    parameters   what is learned             cost         multiply-adds, bytes
    field        what one value sees         field_rule   for every word and node; by family: field_window,
                                             field_move; field_join where branches meet

Pure Python, integers and fractions; it knows words and graphs and nothing else.
"""

from striate.arithmetic import (  # noqa: F401  importing them enters their rules
    field_move,
    field_window,
    shape_join,
    shape_move,
    shape_resize,
    shape_window,
)
from striate.arithmetic.cost import CONVENTION, OTHER_CONVENTION, Cost, cost
from striate.arithmetic.derivation import LEGEND, Derivation, Derived, show
from striate.arithmetic.field import Field
from striate.arithmetic.field_rule import graph_fields, output_field
from striate.arithmetic.parameters import NOT_LEARNED, Parameters, graph_parameters, parameters
from striate.arithmetic.shape import output_shapes
from striate.arithmetic.whole import (
    InputShape,
    SmallestInput,
    derive,
    graph_shapes,
    inputs_of,
    smallest_input,
    value_of,
)

__all__ = [
    "CONVENTION",
    "LEGEND",
    "NOT_LEARNED",
    "OTHER_CONVENTION",
    "Cost",
    "Derivation",
    "Derived",
    "Field",
    "InputShape",
    "Parameters",
    "SmallestInput",
    "cost",
    "derive",
    "graph_fields",
    "graph_parameters",
    "graph_shapes",
    "inputs_of",
    "output_field",
    "output_shapes",
    "parameters",
    "show",
    "smallest_input",
    "value_of",
]
