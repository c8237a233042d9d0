"""Global response normalisation of ConvNeXt V2 (arXiv 2301.00808), which torch code writes as ten steps.

g = norm(x over space);  n = g / (mean(g over channels) + eps);  gamma * (x * n) + beta + x
"""

from __future__ import annotations

from striate import ops
from striate.sketch.sketch import Draft, Sketch


def global_response(sketch: Sketch, key: str, last: Draft) -> bool:
    """Rewrite the last step, the addition of x. What precedes it is by then Scale of x * n."""
    if not isinstance(last.op, ops.Add):
        return False
    for value, other in (last.inputs, last.inputs[::-1]):
        scaled = sketch.producer(other)
        if scaled is None or not isinstance(scaled.op, ops.Scale) or not scaled.op.bias:
            continue
        product = sketch.producer(scaled.inputs[0])
        if product is None or not isinstance(product.op, ops.Multiply) or value not in product.inputs:
            continue
        share = product.inputs[1 - product.inputs.index(value)]
        rank = len(sketch.shapes[value])
        eps = _epsilon(sketch, share, value, scaled.op.dim % rank, rank)
        if eps is not None:
            op = ops.GlobalResponseNorm(scaled.op.num_channels, eps, scaled.op.dim)
            sketch.redraft(key, op, value, **scaled.weights)
            return True
    return False


def _epsilon(sketch: Sketch, share: str, value: str, channel: int, rank: int) -> float | None:
    """eps, where ``share`` is n of ``value`` with the channels on that axis."""
    divide = sketch.producer(share)
    total = sketch.producer(divide.inputs[1]) if divide and isinstance(divide.op, ops.Divide) else None
    if divide is None or total is None or not isinstance(total.op, ops.Add):
        return None
    eps, mean = sketch.scalar(total.inputs[1]), sketch.producer(total.inputs[0])
    if eps is None or mean is None or mean.op != ops.Mean((channel,), keepdim=True):
        return None
    norm = divide.inputs[0]
    same = mean.inputs == (norm,) and _is_norm(sketch, norm, value, {1, rank - 1} - {channel}, rank)
    return eps if same else None


def _is_norm(sketch: Sketch, norm: str, value: str, spatial: set[int], rank: int) -> bool:
    """Whether ``norm`` is the root of the sum of squares of ``value`` over space."""
    axes = tuple(axis for axis in range(1, rank) if axis in spatial or 1 < axis < rank - 1)
    root = sketch.producer(norm)
    total = sketch.producer(root.inputs[0]) if root and isinstance(root.op, ops.SquareRoot) else None
    square = sketch.producer(total.inputs[0]) if total and total.op == ops.Sum(axes, keepdim=True) else None
    if square is None or not isinstance(square.op, ops.Power):
        return False
    return square.inputs[0] == value and sketch.scalar(square.inputs[1]) == 2
