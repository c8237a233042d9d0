"""One axis of a chart: where it begins and ends, where its marks stand, and what is written beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)  # times a power of ten: what people count in
_ROOM = 0.05  # of the range, left free on both sides
_NEAR = 1e-9  # of a step: so far from a mark is still the mark


@dataclass(frozen=True)
class Axis:
    """What is asked of an axis. ``low``, ``high``: its ends; None leaves them to the numbers drawn."""

    title: str = ""
    low: float | None = None
    high: float | None = None
    write: Callable[[float], str] | None = None
    """A mark in words; None: as many decimals as the step between marks needs."""
    whole: bool = False
    """Whether only whole numbers have marks."""
    most: int = 6
    """Steps between marks, at most."""

    def over(self, values: Iterable[float]) -> Scale:
        """The axis for these numbers; those that are not finite do not count."""
        known = [value for value in values if math.isfinite(value)] or [0.0]
        low, high = min(known), max(known)
        room = _ROOM * (high - low) or max(_ROOM * abs(low), 0.5 if self.whole or not low else 0.0)
        low = low - room if self.low is None else self.low
        high = high + room if self.high is None else self.high
        high = high if high > low else low + 1.0  # all numbers lie at an end that was given
        step = _step((high - low) / self.most, self.whole)
        first, last = math.ceil(low / step - _NEAR), math.floor(high / step + _NEAR)
        marks = [number * step for number in range(first, last + 1)]
        decimals = _decimals(step)
        write = self.write or (lambda value: f"{value:.{decimals}f}")
        return Scale(low, high, tuple((mark, write(mark)) for mark in marks))


@dataclass(frozen=True)
class Scale:
    """An axis with its ends and its marks: (number, text)."""

    low: float
    high: float
    marks: tuple[tuple[float, str], ...]

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        return (value - self.low) / (self.high - self.low)


def _step(least: float, whole: bool) -> float:
    """The smallest round step that is no smaller than ``least``."""
    power = 10.0 ** math.floor(math.log10(least))
    steps = [power * step for step in _STEPS]
    if whole:
        steps = [step for step in steps if step == round(step)] or [1.0]
    return next((step for step in steps if step >= least * (1 - _NEAR)), steps[-1])


def _decimals(step: float) -> int:
    """How many a multiple of the step has."""
    return next((count for count in range(12) if math.isclose(step, round(step, count))), 12)
