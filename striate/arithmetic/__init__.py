"""NUMBERS: sizes, parameters, cost and receptive field of words and graphs, each with its derivation.

    derivation   a number with its reason
    shape        output sizes of every word: shape_window, shape_resize, shape_move, shape_join by family
    whole        a whole graph: all shapes, the layer that fails, the smallest input
    parameters   what is learned        cost     multiply-adds, bytes
    field        what one value sees of the image

Pure Python, integers and fractions; it knows words and graphs and nothing else.
"""

from striate.arithmetic import (  # noqa: F401  importing them enters their rules
    shape_join,
    shape_move,
    shape_resize,
    shape_window,
)
from striate.arithmetic.derivation import LEGEND, Derivation, Derived, show
from striate.arithmetic.shape import output_shapes
from striate.arithmetic.whole import SmallestInput, derive, graph_shapes, smallest_input

__all__ = [
    "LEGEND",
    "Derivation",
    "Derived",
    "SmallestInput",
    "derive",
    "graph_shapes",
    "output_shapes",
    "show",
    "smallest_input",
]
