"""How large is what comes out of a word, and why: ``output_shapes`` for every word.

A shape is ``(N, C, *sizes)``; every size is an integer of at least 1, the batch may be the symbol "N". Input
without a batch axis is refused (PyTorch accepts it in places): one rule for all words. The formulas of each
family stand in ``shape_window``, ``shape_resize``, ``shape_move`` and ``shape_join``, entered in ``rule``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import singledispatch
from typing import Any

from striate.arithmetic.derivation import Derived, show
from striate.errors import ArgumentError, ShapeError, UnsupportedError
from striate.graph import Shape
from striate.ops import Op

Rule = Callable[..., Derived]


def output_shapes(op: Op, input_shapes: Iterable[Shape]) -> Derived:
    """The shape of each output of ``op``, with derivations.

    Raises ShapeError, with the derivation, where the word does not fit its input: other channels than it
    expects, a window larger than the padded input, a map that vanishes, shapes that do not broadcast.
    """
    inputs = tuple(tuple(shape) for shape in input_shapes)
    _check_inputs(op, inputs)
    derived = rule(op, *inputs)
    for shape in derived.shapes:
        if any(size == 0 for size in shape):
            raise misfit("output", "have at least 1 value on every axis", show(shape), "select something")
    return derived


@singledispatch
def rule(op: Op, *inputs: Shape) -> Derived:
    """The formula of a word; one function for each family, found by the word's class."""
    raise UnsupportedError(
        f"op must be a word with a shape rule, got {type(op).__name__}: add one with @rule.register."
    )


def covers(word: type[Op]) -> bool:
    """Whether a word has a shape rule."""
    return rule.dispatch(word) is not rule.dispatch(object)


def misfit(argument: str, must: str, got: object, remedy: str) -> ShapeError:
    """A ShapeError in the form of all our messages: argument, rule, value, remedy."""
    return ShapeError(f"{argument} must {must}, got {got}: {remedy}.")


def number(size: Any, what: str) -> int:
    """A size that a formula needs as a number; the symbolic batch cannot be one."""
    if isinstance(size, str):
        raise misfit(what, "be a number here", f"the symbolic size {size}", "give the batch as a number")
    return int(size)


def axis_of(dim: int, shape: Shape, argument: str = "dim") -> int:
    """``dim`` counted from the front; negative numbers count from the end."""
    if not -len(shape) <= dim < len(shape):
        allowed = f"name one of the {len(shape)} axes of {show(shape)}"
        raise misfit(argument, allowed, dim, f"choose between {-len(shape)} and {len(shape) - 1}")
    return dim % len(shape)


def need_rank(shape: Shape, minimum: int) -> None:
    if len(shape) < minimum:
        raise misfit("input", f"have at least {minimum} axes", show(shape), "check what this layer receives")


def need_size(shape: Shape, axis: int, size: int, argument: str) -> None:
    """The rule of all layers that are made for a number of channels or features."""
    if shape[axis] != size:
        rank = {1: "channels", len(shape) - 1: "features"}.get(axis, f"size on axis {axis}")
        fix = f"write {argument}={shape[axis]}" if isinstance(shape[axis], int) else "give that axis a number"
        must = f"equal the {rank} that arrive, {shape[axis]} in {show(shape)}"
        raise misfit(argument, must, size, fix)


def _check_inputs(op: Op, inputs: tuple[Shape, ...]) -> None:
    wanted = op.arity
    if (wanted is None and not inputs) or (wanted is not None and len(inputs) != wanted):
        must = "at least one shape" if wanted is None else f"{wanted} shapes"
        raise ArgumentError(
            f"input_shapes must be {must} for {type(op).__name__}, got {len(inputs)}: give one for each."
        )
    for shape in inputs:
        for size in shape:
            symbol = isinstance(size, str) and size.isidentifier()
            if not symbol and (isinstance(size, (bool, str)) or not isinstance(size, int) or size < 1):
                must = 'have integers of at least 1 (or the symbol "N") for sizes'
                raise misfit("input shape", must, show(shape), "give the size of every axis")
