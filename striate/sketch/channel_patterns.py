"""Channel words recognised: shuffles, and layer norms that move the channels to the end and back."""

from __future__ import annotations

from striate import ops
from striate.sketch.sketch import Draft, Sketch


def channel_shuffle(sketch: Sketch, key: str, last: Draft) -> bool:
    """(N, C, H, W) seen as (N, g, C/g, H, W), the two transposed, and seen as (N, C, H, W) again."""
    permute = sketch.producer(last.inputs[0]) if isinstance(last.op, ops.Reshape) else None
    if permute is None or not isinstance(permute.op, ops.Permute):
        return False
    apart = sketch.producer(permute.inputs[0])
    rank = len(permute.op.dims)
    if permute.op.dims != (0, 2, 1, *range(3, rank)) or rank < 4:
        return False
    if apart is None or not isinstance(apart.op, ops.Reshape):
        return False
    value = apart.inputs[0]
    before, shape = sketch.shapes[value], sketch.shapes[permute.inputs[0]]
    if sketch.shapes[key] != before or before[2:] != shape[3:]:
        return False
    sketch.redraft(key, ops.ChannelShuffle(int(shape[1])), value)
    return True


def channels_first_norm(sketch: Sketch, key: str, last: Draft) -> bool:
    """A layer norm between two permutations that put the channels last and back (LayerNorm2d of ConvNeXt)."""
    norm = sketch.producer(last.inputs[0]) if isinstance(last.op, ops.Permute) else None
    if norm is None or not isinstance(norm.op, ops.LayerNorm) or norm.op.dim != -1:
        return False
    first = sketch.producer(norm.inputs[0])
    if first is None or not isinstance(first.op, ops.Permute) or not isinstance(last.op, ops.Permute):
        return False
    rank = len(last.op.dims)
    there, back = (0, *range(2, rank), 1), (0, rank - 1, *range(1, rank - 1))
    if (first.op.dims, last.op.dims) != (
        there,
        back,
    ) or not last.place.path == norm.place.path == first.place.path:
        return False
    op = norm.op
    word = ops.LayerNorm(op.num_channels, op.eps, op.affine, op.bias, dim=1)
    sketch.redraft(key, word, *first.inputs, **norm.weights)
    return True
