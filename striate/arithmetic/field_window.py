"""Receptive fields through windows and resampling: what slides, what paints, what adapts."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from striate.arithmetic.derivation import Derivation, axis_name
from striate.arithmetic.field import Field, Step, absorb, relayout, runs_along_image, widen
from striate.arithmetic.field_join import read_all
from striate.arithmetic.field_rule import rule
from striate.graph import Shape
from striate.ops import AdaptivePool, AvgPool, Conv, ConvTranspose, ExtremePool, MaxUnpool, Pad, Upsample

HALF = Fraction(1, 2)


@rule.register(Conv)
@rule.register(ExtremePool)
@rule.register(AvgPool)
def _slide(op: Conv | ExtremePool | AvgPool, field: Field, x: Shape, y: Shape) -> Field:
    field = _mix_channels(op, field)
    for axis in range(op.axes):
        span, (before, _) = op.span[axis], op.pads[axis]
        shift = Fraction(span - 1, 2) - before
        window = Fraction(span - 1), shift, Fraction(op.stride[axis])
        field = _move(field, axis + 2, window, _size(y, axis + 2))
    return field


@rule.register(ConvTranspose)
@rule.register(MaxUnpool)
def _paint(op: ConvTranspose | MaxUnpool, field: Field, x: Shape, y: Shape) -> Field:
    """Output o sees the inputs i with 0 <= o + padding - i * stride < span: at most."""
    field = _mix_channels(op, field)
    for axis in range(op.axes):
        reach, stride, (before, _) = op.span[axis] - 1, op.stride[axis], op.pads[axis]
        shift = (before - reach * HALF) / stride
        window = Fraction(reach, stride), shift, Fraction(1, stride)
        field = _move(field, axis + 2, window, _size(y, axis + 2), exact=stride == 1)
    return field


@rule.register
def _adapt(op: AdaptivePool, field: Field, x: Shape, y: Shape) -> Field:
    """Where the size divides: a window of W / N at that stride. Else windows differ: an upper bound."""
    for axis in range(2, len(x)):
        size, wanted = _size(x, axis), _size(y, axis)
        if wanted == 1:
            field = read_all(field, [axis])
            continue
        ratio = Fraction(size, wanted)
        even = size % wanted == 0
        reach = ratio - 1 if even else ratio + 1 - Fraction(2, wanted)
        field = _move(field, axis, (reach, (ratio - 1) * HALF, ratio), wanted, exact=even)
    return field


@rule.register
def _upsample(op: Upsample, field: Field, x: Shape, y: Shape) -> Field:
    """Nearest: output o sees input floor(o / f); linear: the two inputs around (o + 1/2) / f - 1/2."""
    for axis in range(2, len(x)):
        size, wanted = _size(x, axis), _size(y, axis)
        if size == wanted and op.scale_factor is None:
            continue
        per_step = Fraction(size, wanted)
        if op.scale_factor is not None:
            factors = op.scale_factor * (len(x) - 2) if len(op.scale_factor) == 1 else op.scale_factor
            per_step = 1 / Fraction(factors[axis - 2]).limit_denominator(10**6)
        if op.mode == "nearest":
            reach = 1 - Fraction(1, per_step.denominator)
            shift = -reach * HALF
        elif op.align_corners:
            per_step = Fraction(size - 1, wanted - 1) if wanted > 1 else Fraction(0)
            reach, shift = Fraction(2), Fraction(0)
        else:
            reach, shift = Fraction(2), (per_step - 1) * HALF
            if per_step.numerator == 1:  # a whole factor: the inputs are never as much as 1 away
                reach = 2 - per_step
        field = _move(field, axis, (reach, shift, per_step), wanted, exact=False)
    return field


@rule.register
def _pad(op: Pad, field: Field, x: Shape, y: Shape) -> Field:
    first = len(x) - len(op.padding)
    for axis, (before, after) in enumerate(op.padding, start=first):
        if before or after:
            field = _move(field, axis, (Fraction(0), Fraction(-before), Fraction(1)), _size(y, axis))
    return field


def _move(
    field: Field, axis: int, window: tuple[Fraction, Fraction, Fraction], count: int, *, exact: bool = True
) -> Field:
    """A window on one tensor axis: (reach, shift of the centre, stride), all in steps of that axis."""
    steps = field.layout[axis]
    if not runs_along_image(steps):
        return field
    if len(steps) > 1:  # a window over a flattened picture: bounded by all that the axis sees
        return replace(absorb(field, [axis], count), exact=False)
    (step,), (reach, shift, stride) = steps, window
    a, jump = step.image_axis or 0, step.jump
    wide = widen(field, a, reach * jump, shift * jump)
    moved = relayout(wide, axis, (Step(count, a, jump * stride),))
    if reach == 0:
        return replace(moved, exact=field.exact and exact)
    why = Derivation(
        quantity=f"field {axis_name(a, len(field.image))}",
        formula="R + (F - 1)*J" if reach.denominator == 1 else "R + reach*J",
        substitution=f"{field.size[a]} + {f'({reach + 1} - 1)' if reach.denominator == 1 else reach}*{jump}",
        result=wide.size[a],
        remark="" if field.exact and exact else "an upper bound: neighbours see differently much",
    )
    return replace(moved, exact=field.exact and exact, derivations=(*field.derivations, why))


def _mix_channels(op: object, field: Field) -> Field:
    """A convolution reads all channels; they carry pixels after a space-to-depth."""
    if not isinstance(op, (Conv, ConvTranspose)) or not runs_along_image(field.layout[1]):
        return field
    return replace(absorb(field, [1]), exact=field.exact and op.groups == 1)


def _size(shape: Shape, axis: int) -> int:
    return int(shape[axis])
