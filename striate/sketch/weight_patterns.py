"""Words with weights recognised: factors and summands of each channel, distances to centres."""

from __future__ import annotations

import numpy as np

from striate import ops
from striate.sketch.sketch import Draft, Sketch, Weight


def scale(sketch: Sketch, key: str, last: Draft) -> bool:
    """x * w with one factor for each channel."""
    if not isinstance(last.op, ops.Multiply):
        return False
    for value, other in (last.inputs, last.inputs[::-1]):
        found = _per_channel(sketch, key, value, other)
        if found is not None:
            weight, dim = found
            sketch.redraft(key, ops.Scale(weight.array.size, bias=False, dim=dim), value, weight=weight)
            return True
    return False


def scale_and_shift(sketch: Sketch, key: str, last: Draft) -> bool:
    """x * w + b with one factor and one summand for each channel."""
    if not isinstance(last.op, ops.Add):
        return False
    for value, other in (last.inputs, last.inputs[::-1]):
        scaled = sketch.producer(value)
        found = _per_channel(sketch, key, value, other)
        if scaled is None or found is None or not isinstance(scaled.op, ops.Scale) or scaled.op.bias:
            continue
        bias, dim = found
        if dim == scaled.op.dim:
            op = ops.Scale(scaled.op.num_channels, bias=True, dim=dim)
            sketch.redraft(key, op, *scaled.inputs, weight=scaled.weights["weight"], bias=bias)
            return True
    return False


def _per_channel(sketch: Sketch, key: str, value: str, other: str) -> tuple[Weight, int] | None:
    """The constant ``other`` as one number a channel of ``value``, and the channels' axis (1 or -1)."""
    weight, shape = sketch.constant(other), sketch.shapes[value]
    if weight is None or weight.array.size < 2 or sketch.shapes[key] != shape or len(shape) < 2:
        return None
    spread = (1,) * (len(shape) - weight.array.ndim) + weight.array.shape
    for axis, dim in ((1, 1), (len(shape) - 1, -1)):
        if spread == tuple(shape[axis] if a == axis else 1 for a in range(len(shape))):
            return Weight(weight.name, np.ascontiguousarray(weight.array.reshape(-1))), dim
    return None


def radial_basis(sketch: Sketch, key: str, last: Draft) -> bool:
    """((x.unsqueeze(1) - centres) ** 2).sum(-1): squared distances to fixed or learned centres."""
    if not isinstance(last.op, ops.Sum) or last.op.dim != (2,) or last.op.keepdim:
        return False
    difference = _square(sketch, last.inputs[0])
    if difference is None or not isinstance(difference.op, ops.Subtract):
        return False
    for value, other in (difference.inputs, difference.inputs[::-1]):
        spread, centres = sketch.producer(value), sketch.constant(other)
        if spread is None or centres is None or not isinstance(spread.op, ops.Reshape):
            continue
        if centres.array.ndim not in (2, 3) or centres.array.shape[:-2] not in ((), (1,)):
            continue
        matrix = centres.array.reshape(-1, centres.array.shape[-1])
        features = sketch.shapes[spread.inputs[0]][1:]
        if sketch.shapes[value][1:] == (1, *features) and features == (matrix.shape[1],):
            op = ops.RBF(in_features=matrix.shape[1], out_features=matrix.shape[0])
            sketch.redraft(key, op, *spread.inputs, weight=Weight(centres.name, np.ascontiguousarray(matrix)))
            return True
    return False


def _square(sketch: Sketch, value: str) -> Draft | None:
    """What ``value`` is the square of, written as a power or as a product with itself."""
    draft = sketch.producer(value)
    if draft is None:
        return None
    power = isinstance(draft.op, ops.Power) and sketch.scalar(draft.inputs[1]) == 2
    product = isinstance(draft.op, ops.Multiply) and draft.inputs[0] == draft.inputs[1]
    return sketch.producer(draft.inputs[0]) if power or product else None
