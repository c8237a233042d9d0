"""The field where positions or branches meet: means over an axis, hulls, gates that see everything."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from striate.arithmetic.derivation import Derivation, axis_name
from striate.arithmetic.field import Axis, Field, absorb, covers, runs_along_image, steps_along, widen


def read_all(field: Field, axes: Iterable[int]) -> Field:
    """All entries along tensor ``axes`` at once, and why the field is as large as it is then."""
    read = absorb(field, axes)
    reasons = []
    for a in range(len(field.image)):
        if read.extent[a] == field.extent[a]:
            continue
        name = axis_name(a, len(field.image))
        reach = read.extent[a] - field.extent[a]
        sees = "the whole image along this axis" if read.whole[a] else ""
        formula, numbers = "R + reach of all positions", f"{field.size[a]} + {reach}"
        reasons.append(Derivation(f"field {name}", formula, numbers, read.size[a], sees))
    return replace(read, derivations=(*field.derivations, *reasons))


def look_along(field: Field, axes: Iterable[int]) -> Field:
    """Each value depends on all entries along tensor ``axes``, yet stays where it is: a norm, a softmax."""
    seen = absorb(field, axes)
    for a in range(len(field.image)):
        if seen.extent[a] > field.extent[a]:
            field = _gate(field, seen, a)
    return field


def _gate(field: Field, other: Field, a: int) -> Field:
    """``other`` sees the same part of image axis ``a`` from everywhere and takes part in each value."""
    if covers(other, a) or other.gated[a]:
        return replace(field, gated=tuple(g or i == a for i, g in enumerate(field.gated)))
    everywhere = absorb(field, {axis for axis, _ in steps_along(field.layout, a)})
    hull = _hull(everywhere, other, a)
    return widen(replace(field, exact=False), a, hull[0] - field.extent[a], hull[1] - field.centre[a])


def join(a: Field, b: Field) -> Field:
    """The hull of two branches whose tensors broadcast against each other."""
    rank = max(len(a.layout), len(b.layout))
    a, b = (replace(f, layout=((),) * (rank - len(f.layout)) + f.layout) for f in (a, b))
    layout = tuple(_longer(x, y) for x, y in zip(a.layout, b.layout, strict=True))
    gated = tuple(x or y for x, y in zip(a.gated, b.gated, strict=True))
    joined = replace(a, layout=layout, gated=gated, exact=a.exact and b.exact, notes=(), derivations=())
    for axis in range(len(a.image)):
        joined = _join_axis(joined, a, b, axis)
    return joined


def _join_axis(joined: Field, a: Field, b: Field, axis: int) -> Field:
    runs = steps_along(a.layout, axis), steps_along(b.layout, axis)
    if runs[0] and not runs[1]:
        return _gate(joined, b, axis)
    if runs[1] and not runs[0]:
        moved = widen(joined, axis, b.extent[axis] - a.extent[axis], b.centre[axis] - a.centre[axis])
        return _gate(moved, a, axis)
    if [(where, step.jump) for where, step in runs[0]] != [(where, step.jump) for where, step in runs[1]]:
        jumps = " and ".join(str(r[0][1].jump) for r in runs)
        note = f"the branches move {jumps} pixels a step along image axis {axis}: they are not aligned"
        a, b = (absorb(f, {where for where, _ in r}) for f, r in zip((a, b), runs, strict=True))
        joined = replace(joined, exact=False, notes=(*joined.notes, note))
    elif a.centre[axis] != b.centre[axis] and runs[0]:
        shift = abs(a.centre[axis] - b.centre[axis])
        note = f"the branches are shifted against each other by {shift} pixels along image axis {axis}"
        joined = replace(joined, notes=(*joined.notes, note))
    extent, centre = _hull(a, b, axis)
    return widen(joined, axis, extent - joined.extent[axis], centre - joined.centre[axis])


def _hull(a: Field, b: Field, axis: int) -> tuple[Fraction, Fraction]:
    """Extent and centre of the smallest interval that holds both."""
    low = min(f.centre[axis] - f.extent[axis] / 2 for f in (a, b))
    high = max(f.centre[axis] + f.extent[axis] / 2 for f in (a, b))
    return high - low, (high + low) / 2


def _longer(x: Axis, y: Axis) -> Axis:
    """Of two broadcast axes the one that moves along the image; sizes of 1 are repeated."""
    if not runs_along_image(y):
        return x
    return x if runs_along_image(x) and math.prod(step.count for step in x) > 1 else y
