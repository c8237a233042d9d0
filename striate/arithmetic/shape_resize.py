"""Sizes that are asked for rather than computed: adaptive pooling, resampling, padding as a word."""

from __future__ import annotations

import math

from striate.arithmetic.derivation import Derivation, Derived, axis_name, show
from striate.arithmetic.shape import misfit, need_rank, number, rule
from striate.arithmetic.shape_window import need_mode, spatial_sizes
from striate.graph import Shape
from striate.ops import AdaptivePool, Pad, Upsample

_RANK_OF_MODE = {"nearest": (3, 4, 5), "linear": (3,), "bilinear": (4,)}


@rule.register
def _adaptive(op: AdaptivePool, x: Shape) -> Derived:
    spatial = spatial_sizes(op.axes, x)
    sizes = tuple(_asked(op, axis, size) for axis, size in enumerate(spatial))
    shape = (*x[:2], *(size.result for size in sizes))
    return Derived((shape,) * op.outputs, sizes)


def _asked(op: AdaptivePool, axis: int, size: int) -> Derivation:
    name, asked = axis_name(axis, op.axes), op.output_size[axis]
    if asked is None:
        return Derivation(name, "W", str(size), size, "output_size None keeps the size")
    if asked == 1:
        return Derivation(name, "output_size", "output_size", 1, f"one window covers all {size}")
    window = f"window i covers floor(i*{size}/{asked}) to ceil((i + 1)*{size}/{asked}) - 1"
    return Derivation(name, "output_size", "output_size", asked, window)


@rule.register
def _upsample(op: Upsample, x: Shape) -> Derived:
    if len(x) not in _RANK_OF_MODE[op.mode]:
        ranks = " or ".join(map(str, _RANK_OF_MODE[op.mode]))
        must = f"have {ranks} axes, batch included, for mode {op.mode!r}"
        raise misfit("input", must, f"the shape {show(x)}", "choose the mode for these axes")
    axes = len(x) - 2
    wanted = op.size if op.size is not None else op.scale_factor or ()
    if len(wanted) not in (1, axes):
        argument = "size" if op.size is not None else "scale_factor"
        raise misfit(
            argument, f"have one entry for each of the {axes} axes", wanted, "give one, or that many"
        )
    spread = wanted * axes if len(wanted) == 1 else wanted
    pairs = zip(spatial_sizes(axes, x), spread, strict=True)
    sizes = tuple(_resized(op, axis_name(axis, axes), *pair) for axis, pair in enumerate(pairs))
    return Derived(((*x[:2], *(size.result for size in sizes)),), sizes)


def _resized(op: Upsample, name: str, size: int, wanted: float) -> Derivation:
    if op.size is not None:
        return Derivation(name, "size", "size", int(wanted))
    result = Derivation(
        name, "floor(W * scale_factor)", f"floor({size} * {wanted})", math.floor(size * wanted)
    )
    if result.result < 1:
        must = f"leave something of the {name}"
        raise misfit("scale_factor", must, f"{wanted}: {result}", f"give at least 1/{size}")
    return result


@rule.register
def _pad(op: Pad, x: Shape) -> Derived:
    count = len(op.padding)
    need_rank(x, count)
    if op.mode != "zeros" and (count > 3 or len(x) not in (count + 1, count + 2)):
        must = f"name the last {len(x) - 2} or {len(x) - 1} axes, at most 3, of {show(x)} in mode {op.mode!r}"
        raise misfit("padding", must, op.padding, "give one (before, after) for each of them")
    first = len(x) - count
    shape, reasons = list(x), []
    for axis, (before, after) in enumerate(op.padding, start=first):
        if before == after == 0:
            continue
        spatial = len(x) - 2
        name = axis_name(axis - 2, spatial) if axis >= 2 else f"axis {axis}"
        size = number(x[axis], name)
        need_mode(op.mode, size, before, after, name)
        reasons.append(_grown(name, size, before, after))
        shape[axis] = size + before + after
    return Derived((tuple(shape),), tuple(reasons))


def _grown(name: str, size: int, before: int, after: int) -> Derivation:
    result = Derivation(
        name,
        "W + P_before + P_after",
        f"{size} + {before} + {after}".replace("+ -", "- "),
        size + before + after,
    )
    if size + min(before, 0) + min(after, 0) < 0 or result.result < 1:
        raise misfit("padding", f"leave something of the {name}", f"{(before, after)}: {result}", "crop less")
    return result
