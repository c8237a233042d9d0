"""How many numbers a word learns: (n*m*C + 1) * K for a convolution; tied weights count once."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from striate.arithmetic.derivation import Derivation, product
from striate.graph import Graph
from striate.ops import RBF, Conv, ConvTranspose, Linear, Op
from striate.ops.weights import weight_shapes

# statistics, constants and the grid of integers: stored, not learned
NOT_LEARNED = ("running_mean", "running_var", "value", "scale", "zero_point")
_KERNEL = {1: "n", 2: "n*m", 3: "l*n*m"}


@dataclass(frozen=True)
class Parameters:
    """Of a whole graph: values that are learned, values that are only stored, and which layer brings them.

    ``by_node`` counts a tensor that several layers share at the first of them; ``shared`` says, for the
    later ones, with whom.
    """

    trainable: int
    stored: int
    by_node: dict[str, int]
    shared: dict[str, str]


def graph_parameters(graph: Graph, trainable: Collection[str] | None = None) -> Parameters:
    """Count every tensor of a graph once.

    ``trainable``: names of the tensors that are learned. A graph does not know (LeNet-5's output centres are
    fixed), so None counts all but running statistics and constants.
    """
    first: dict[str, str] = {}
    learned, stored, shared = dict.fromkeys((node.name for node in graph), 0), 0, {}
    for node in graph:
        shapes = weight_shapes(node.op)
        for role, tensor in node.weights.items():
            if tensor in first:
                shared[node.name] = first[tensor]
                continue
            first[tensor] = node.name
            size = math.prod(shapes[role])
            if role not in NOT_LEARNED if trainable is None else tensor in trainable:
                learned[node.name] += size
            else:
                stored += size
    return Parameters(sum(learned.values()), stored, learned, shared)


def parameters(op: Op) -> Derivation:
    """The number of values that ``op`` learns, e.g. ``(5*5*1 + 1) * 6 = 156``."""
    total = sum(math.prod(shape) for role, shape in weight_shapes(op).items() if role not in NOT_LEARNED)
    if total == 0:
        return Derivation("parameters", "0", "0", 0, "nothing to learn")
    formula, substitution = _formula(op)
    return Derivation("parameters", formula, substitution, total)


def _formula(op: Op) -> tuple[str, str]:
    """Formula and substitution of a word that learns something."""
    if isinstance(op, Conv):
        kernel, name = product(op.kernel_size), _KERNEL[op.axes]
        groups = ("/groups", f"/{op.groups}") if op.groups > 1 else ("", "")
        inside = (f"{name}*C{groups[0]}", f"{kernel}*{op.in_channels}{groups[1]}")
        if op.bias:
            return f"({inside[0]} + 1) * K", f"({inside[1]} + 1) * {op.out_channels}"
        return f"{inside[0]} * K", f"{inside[1]} * {op.out_channels}"
    if isinstance(op, ConvTranspose):
        kernel, name = product(op.kernel_size), _KERNEL[op.axes]
        groups = ("/groups", f"/{op.groups}") if op.groups > 1 else ("", "")
        bias = (" + K", f" + {op.out_channels}") if op.bias else ("", "")
        weight = f"{kernel}*{op.in_channels} * {op.out_channels}{groups[1]}"
        return f"{name}*C * K{groups[0]}{bias[0]}", f"{weight}{bias[1]}"
    if isinstance(op, Linear) and op.bias:
        return "(in_features + 1) * out_features", f"({op.in_features} + 1) * {op.out_features}"
    if isinstance(op, (Linear, RBF)):
        return "in_features * out_features", f"{op.in_features} * {op.out_features}"
    learned = [shape[0] for role, shape in weight_shapes(op).items() if role not in NOT_LEARNED]
    return ("2 * C", f"2 * {learned[0]}") if len(learned) == 2 else ("C", str(learned[0]))
