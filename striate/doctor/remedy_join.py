"""Branches that do not fit each other where they are concatenated, added or multiplied."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from striate.doctor.remedy import Remedy, axes_of, entry
from striate.doctor.trace import Sizes, Step, Trace, Value, show

_JOINS = ("add", "radd", "iadd", "sub", "rsub", "mul", "rmul", "imul", "div", "maximum", "minimum")


def concat(trace: Trace, step: Step) -> Remedy | None:
    """Concatenated branches of different sizes."""
    if step.layer.kind != "cat" or len(step.inputs) < 2:
        return None
    axis = step.layer.arguments["dim"]
    if isinstance(axis, int):
        for one, two in pairwise(step.inputs):
            equal = len(one.shape) == len(two.shape)
            if equal and _without(one.shape, axis) != _without(two.shape, axis):
                return _sizes(trace, step, one, two, "concatenates")
    return None


def elementwise(trace: Trace, step: Step) -> Remedy | None:
    """Added (multiplied) branches of different channels or sizes."""
    if step.layer.kind.strip("_") not in _JOINS or len(step.inputs) != 2:
        return None
    one, two = step.inputs
    if len(one.shape) < 3 or len(one.shape) != len(two.shape):
        return None
    if one.shape[1] == two.shape[1]:
        return _sizes(trace, step, one, two, "adds")
    # the way with fewer steps is the shortcut
    short, long = sorted((one, two), key=lambda value: sum(1 for _ in trace.behind(value)))
    strides = tuple(-(-s // t) for s, t in zip(short.shape[2:], long.shape[2:], strict=True))
    fits = all(
        (s - 1) // k + 1 == t for s, t, k in zip(short.shape[2:], long.shape[2:], strides, strict=True)
    )
    says = f"adds {show(one.shape)} and {show(two.shape)}: {one.shape[1]} channels meet {two.shape[1]}."
    if not fits:
        return _sizes(trace, step, one, two, "adds")
    stride = f", stride={strides[0]}" if max(strides) > 1 else ""
    code = f"self.shortcut = nn.Conv2d({short.shape[1]}, {long.shape[1]}, 1{stride}, bias=False)"
    way = (
        f"apply it to {_name(trace, short)} before the addition (He et al. 2015, arXiv 1512.03385, option B)"
    )
    summand = (short is two) if step.layer.kind.strip("_") == "add" else None
    return Remedy("branches-differ", says, code=code, summand=summand, instead=(way,))


def _sizes(trace: Trace, step: Step, one: Value, two: Value, verb: str) -> Remedy:
    """Spatial sizes differ: a padding or stride of the last window that makes them equal, else resample."""
    names = [f"{show(value.shape)} from {_name(trace, value)}" for value in (one, two)]
    says = f"{verb} {names[0]} and {names[1]}: their sizes differ."
    target = "x".join(map(str, max(one.shape[2:], two.shape[2:])))
    small, large = sorted((one, two), key=lambda value: value.shape[2:])
    sizes = ", ".join(map(str, large.shape[2:]))
    resample = f"x = F.interpolate(x, size=({sizes}))"
    ways = ((small, large, "stride"), (small, large, "padding"), (large, small, "stride"))
    for value, goal, argument in ways:
        for made in trace.behind(value):
            if "kernel_size" in made.layer.arguments and made.module is not None:
                found = _solve(made, goal.shape[2:], argument) if made.output[2:] == value.shape[2:] else None  # type: ignore[index]
                if found is not None:
                    way = f"resample the smaller one to {target}: {resample}"
                    return Remedy("branches-differ", says, {argument: found}, made, instead=(way,))
                break
    return Remedy("branches-differ", says, code=resample)


def _solve(step: Step, goal: Sizes, argument: str) -> tuple[int, ...] | None:
    """The padding (or stride) with which a window layer gives maps of size ``goal``."""
    axes = axes_of(step.layer.kind)
    if axes != len(goal):
        return None
    found = tuple(next(_candidates(step, axis, goal[axis], argument), None) for axis in range(axes))
    return None if None in found else found  # type: ignore[return-value]


def _candidates(step: Step, axis: int, goal: int, argument: str) -> Iterator[int]:
    arguments, size = step.layer.arguments, step.inputs[0].shape[2:][axis]
    values = {key: entry(arguments.get(key, 1), axis) for key in ("kernel_size", "stride", "dilation")}
    values["stride"] = values["stride"] or values["kernel_size"]
    values["padding"] = entry(arguments.get("padding", 0), axis)
    if not all(isinstance(value, int) for value in values.values()):
        return
    span = values["dilation"] * (values["kernel_size"] - 1) + 1
    for choice in range(span // 2 + 1) if argument == "padding" else range(1, size + 1):
        tried = values | {argument: choice}
        if (size + 2 * tried["padding"] - span) // tried["stride"] + 1 == goal:
            yield choice


def _without(shape: Sizes, axis: int) -> Sizes:
    axis %= len(shape)
    return shape[:axis] + shape[axis + 1 :]


def _name(trace: Trace, value: Value) -> str:
    return "the input" if value.maker is None else trace.steps[value.maker].name


REMEDIES = (concat, elementwise)
