"""Words that torch has no operation for, recognised in the steps it writes instead.

Each pattern looks at the *last* step and rewrites it in place; the steps before it stay for whoever else
reads them, and are dropped with all other dead nodes if nobody does. So a match never changes a result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from striate import ops
from striate.capture.local_response import local_response
from striate.capture.sketch import Draft, Sketch, Weight

Pattern: TypeAlias = Callable[[Sketch, str, Draft], bool]
MINIMA: dict[type[ops.Op], type[ops.ExtremePool]] = {
    ops.MaxPool1d: ops.MinPool1d,
    ops.MaxPool2d: ops.MinPool2d,
    ops.MaxPool3d: ops.MinPool3d,
}


def recognise(sketch: Sketch) -> None:
    """Apply all patterns, from the first node to the last: a pattern sees what earlier ones have found."""
    for key in list(sketch.drafts):
        for pattern in PATTERNS:
            if pattern(sketch, key, sketch.drafts[key]):
                break


def minimum_pool(sketch: Sketch, key: str, last: Draft) -> bool:
    """-maxpool(-x). Padding is right as well: minus infinity, negated, never is the minimum."""
    if not isinstance(last.op, ops.Negate):
        return False
    pool = sketch.producer(last.inputs[0])
    first = sketch.producer(pool.inputs[0]) if pool else None
    if pool is None or first is None or not isinstance(first.op, ops.Negate):
        return False
    word = MINIMA.get(type(pool.op))
    if word is None or pool.op.outputs != 1:
        return False
    fields = {
        name: getattr(pool.op, name) for name in ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    }
    sketch.redraft(key, word(**fields), *first.inputs)
    return True


def padded_convolution(sketch: Sketch, key: str, last: Draft) -> bool:
    """nn.ConvNd with a padding mode other than zeros: torch pads first and then convolves without padding."""
    if not isinstance(last.op, ops.Conv) or any(pair != (0, 0) for pair in last.op.pads):
        return False
    pad = sketch.producer(last.inputs[0])
    same_module = pad is not None and pad.place.call == last.place.call and last.place.path != ""
    if pad is None or not isinstance(pad.op, ops.Pad) or pad.op.mode == "zeros" or not same_module:
        return False
    if len(pad.op.padding) != last.op.axes:
        return False
    names = ("in_channels", "out_channels", "kernel_size", "stride", "dilation", "groups", "bias")
    fields = {name: getattr(last.op, name) for name in names}
    op = type(last.op)(**fields, padding=pad.op.padding, padding_mode=pad.op.mode)
    sketch.redraft(key, op, *pad.inputs, **last.weights)
    return True


def unpool_1d(sketch: Sketch, key: str, last: Draft) -> bool:
    """nn.MaxUnpool1d: torch adds an axis of size 1, unpools in two axes, and drops the axis."""
    unpool = sketch.producer(last.inputs[0]) if isinstance(last.op, ops.Reshape) else None
    if unpool is None or not isinstance(unpool.op, ops.MaxUnpool2d) or len(sketch.shapes[key]) != 3:
        return False
    values, indices = (sketch.producer(value) for value in unpool.inputs)
    if not all(part and isinstance(part.op, ops.Reshape) for part in (values, indices)):
        return False
    op, size = unpool.op, unpool.op.output_size
    if values is None or indices is None or size is None or size[1] != 1:
        return False
    word = ops.MaxUnpool1d(op.kernel_size[:1], op.stride[:1], op.padding[:1], output_size=size[:1])
    sketch.redraft(key, word, values.inputs[0], indices.inputs[0])
    return True


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


# --- activations -----------------------------------------------------------------------------------------

GATES: dict[type[ops.Op], ops.Op] = {ops.Sigmoid: ops.SiLU(), ops.HardSigmoid: ops.HardSwish()}


def gated(sketch: Sketch, key: str, last: Draft) -> bool:
    """x * sigmoid(x), x * hardsigmoid(x), and x * sigmoid(1.702 x)."""
    if not isinstance(last.op, ops.Multiply):
        return False
    for value, other in (last.inputs, last.inputs[::-1]):
        gate = sketch.producer(other)
        if gate is None or type(gate.op) not in GATES:
            continue
        if gate.inputs == (value,):
            sketch.redraft(key, GATES[type(gate.op)], value)
            return True
        if isinstance(gate.op, ops.Sigmoid) and _times(sketch, gate.inputs[0]) == (value, 1.702):
            sketch.redraft(key, ops.GELU("sigmoid"), value)
            return True
    return False


def hard_gate(sketch: Sketch, key: str, last: Draft) -> bool:
    """relu6(x + 3) / 6, as it was written before torch had hardsigmoid."""
    scaled = _divided(sketch, last)
    step = sketch.producer(scaled[0]) if scaled and scaled[1] == 6 else None
    if step is None:
        return False
    if isinstance(step.op, ops.Multiply):  # x * relu6(x + 3) / 6
        for value, other in (step.inputs, step.inputs[::-1]):
            if _shifted_relu6(sketch, other) == value:
                sketch.redraft(key, ops.HardSwish(), value)
                return True
    inner = _shifted_relu6(sketch, scaled[0]) if scaled else None
    if inner is not None:
        sketch.redraft(key, ops.HardSigmoid(), inner)
    return inner is not None


def _shifted_relu6(sketch: Sketch, value: str) -> str | None:
    """x, where ``value`` is relu6(x + 3)."""
    step = sketch.producer(value)
    plus = sketch.producer(step.inputs[0]) if step and isinstance(step.op, ops.ReLU6) else None
    if plus is None or not isinstance(plus.op, ops.Add):
        return None
    found = [a for a, b in (plus.inputs, plus.inputs[::-1]) if sketch.scalar(b) == 3]
    return found[0] if found else None


def _divided(sketch: Sketch, draft: Draft) -> tuple[str, float] | None:
    if not isinstance(draft.op, ops.Divide):
        return None
    number = sketch.scalar(draft.inputs[1])
    return None if number is None else (draft.inputs[0], number)


def _times(sketch: Sketch, value: str) -> tuple[str, float] | None:
    """(x, c), where ``value`` is c * x."""
    draft = sketch.producer(value)
    if draft is None or not isinstance(draft.op, ops.Multiply):
        return None
    for factor, other in (draft.inputs, draft.inputs[::-1]):
        number = sketch.scalar(other)
        if number is not None:
            return factor, number
    return None


# --- maps with weights -----------------------------------------------------------------------------------


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


PATTERNS: tuple[Pattern, ...] = (
    minimum_pool,
    padded_convolution,
    unpool_1d,
    channel_shuffle,
    channels_first_norm,
    gated,
    hard_gate,
    scale,
    scale_and_shift,
    radial_basis,
    local_response,
)
