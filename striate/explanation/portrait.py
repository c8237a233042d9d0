"""One activation measured: range, slope, where it is flat, where its gradient dies, what the mean becomes.

Nothing is typed in: every number is computed from the meaning of the word and its derivative, on a grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.explanation.operations import operations
from striate.ops import Activation, PReLU
from striate.reference import derivative, forward
from striate.reference.meaning import Array

SATURATED = 0.01  # a slope smaller than this: ten such layers leave 1e-20 of the gradient
EDGE = 64.0  # the grid goes from -EDGE to EDGE, in steps that binary numbers hold exactly
STEP = 1 / 256
FAR = (-1e6, -1e3, 1e3, 1e6)  # what a function does there, it does for ever
EXACT = 16.0  # within this even the fastest of them has not yet been rounded to its limit
TOLERANCE = 1e-6  # of places, extremes and means
SLOPE = 0.25  # PReLU's slope is learned; it starts there (torch.nn.PReLU)
Interval = tuple[float, float]


@dataclass(frozen=True)
class Portrait:
    """What can be said of f. Intervals may end at infinity; numbers are within ``TOLERANCE``.

    ``low`` and ``high`` bound f; ``low_reached`` says whether f takes that value or only tends to it.
    ``saturated``: where |f'| < SATURATED for ever (not where f turns round). ``dead``: where f' is exactly 0,
    so that nothing is learned. ``mean`` and ``deviation``: of f(x) for standard normal x. ``odd``:
    f(-x) = -f(x). ``operations``: what the formula does to one value, by name.
    """

    name: str
    word: Activation
    low: float
    high: float
    low_reached: bool
    high_reached: bool
    steepest: float
    steepest_at: float
    monotonic: bool
    smooth: bool
    odd: bool
    saturated: tuple[Interval, ...]
    dead: tuple[Interval, ...]
    mean: float
    deviation: float
    operations: dict[str, int]

    @property
    def zero_centred(self) -> bool:
        """Whether inputs around 0 give outputs around 0: the mean for a standard normal input."""
        return abs(self.mean) < TOLERANCE

    def value(self, x: Array) -> Array:
        """f(x)."""
        return _value(self.word)(x)

    def slope(self, x: Array) -> Array:
        """f'(x)."""
        return _slope(self.word)(x)

    def to_json(self) -> dict[str, Any]:
        """Plain values only; None stands for infinity."""
        return {
            "name": self.name,
            "range": {
                "low": _finite(self.low),
                "low_reached": self.low_reached,
                "high": _finite(self.high),
                "high_reached": self.high_reached,
            },
            "steepest": {"slope": self.steepest, "at": self.steepest_at},
            "monotonic": self.monotonic,
            "smooth": self.smooth,
            "odd": self.odd,
            "zero_centred": self.zero_centred,
            "mean": self.mean,
            "deviation": self.deviation,
            "saturated": [[_finite(end) for end in interval] for interval in self.saturated],
            "gradient_dies": [[_finite(end) for end in interval] for interval in self.dead],
            "operations": self.operations,
        }


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def portrait(name: str, word: Activation) -> Portrait:
    """Measure ``word``. Raises UnsupportedError for softmax, whose outputs depend on several inputs."""
    f, slope = _value(word), _slope(word)
    x = np.arange(-EDGE, EDGE + STEP, STEP)
    y, dy = f(x), slope(x)
    low, low_reached = _bound(lambda t: -f(t), x)
    high, high_reached = _bound(f, x)
    steepest, at = _peak(lambda t: np.abs(slope(t)), x)
    mean, deviation = _normal(f)
    return Portrait(
        name=name,
        word=word,
        low=0.0 - low,
        high=high,
        low_reached=low_reached,
        high_reached=high_reached,
        steepest=steepest,
        steepest_at=round(at, 6) + 0.0,
        monotonic=bool((np.diff(y) >= 0).all()),
        smooth=bool(np.abs(np.diff(dy)).max() < 4 * STEP * max(1.0, steepest)),
        odd=bool(np.allclose(y, -y[::-1], rtol=0, atol=1e-12)),
        saturated=tuple(run for run in _where(lambda t: np.abs(slope(t)) < SATURATED, x) if _endless(run)),
        dead=tuple(run for run in _where(lambda t: slope(t) == 0, x) if _abrupt(run, slope)),
        mean=mean,
        deviation=deviation,
        operations=operations(word),
    )


def _weights(word: Activation) -> dict[str, Array]:
    return {"weight": np.array([SLOPE])} if isinstance(word, PReLU) else {}


def _value(word: Activation) -> Callable[[Array], Array]:
    return lambda x: np.asarray(forward(word, [x], _weights(word)))


def _slope(word: Activation) -> Callable[[Array], Array]:
    return lambda x: derivative(word, x, _weights(word))


def _bound(f: Callable[[Array], Array], x: Array) -> tuple[float, bool]:
    """The least upper bound of f, and whether f takes it at some |x| < EXACT, unrounded."""
    far = f(np.array(FAR))
    if far.max() > 100:  # none of our activations has a finite bound as large
        return math.inf, False
    peak, _ = _peak(f, x[np.abs(x) < EXACT])
    limit = float(far.max())
    return (limit, False) if limit > peak else (peak, True)


def _peak(f: Callable[[Array], Array], x: Array) -> tuple[float, float]:
    """The largest value of f and where it is: the best grid point, then ever finer grids around it."""
    y, step = f(x), STEP
    for _ in range(4):
        best = int(y.argmax())
        x = np.linspace(x[best] - step, x[best] + step, 257)
        finer = f(x)
        step /= 128
        y = finer
    return float(y.max()), float(x[y.argmax()])


def _where(holds: Callable[[Array], Any], x: Array) -> tuple[Interval, ...]:
    """The intervals on which something holds, ends found by halving; open-ended where it holds far out."""
    inside = np.asarray(holds(x), dtype=bool)
    changes = np.flatnonzero(np.diff(inside.astype(np.int8))) + 1
    ends = [_edge(holds, float(x[i - 1]), float(x[i])) for i in changes]
    far = np.asarray(holds(np.array(FAR)), dtype=bool)
    if inside[0]:
        ends.insert(0, -math.inf if far[:2].all() else float(x[0]))
    if inside[-1]:
        ends.append(math.inf if far[2:].all() else float(x[-1]))
    return tuple((a, b) for a, b in zip(ends[::2], ends[1::2], strict=True) if b - a > TOLERANCE)


def _edge(holds: Callable[[Array], Any], a: float, b: float) -> float:
    """The place between a and b where the answer changes, to TOLERANCE."""
    first = bool(holds(np.array([a]))[0])
    while b - a > TOLERANCE / 16:
        middle = (a + b) / 2
        a, b = (middle, b) if bool(holds(np.array([middle]))[0]) == first else (a, middle)
    return round(float(a + b) / 2, 6) + 0.0


def _endless(run: Interval) -> bool:
    return math.isinf(run[0]) or math.isinf(run[1])


def _abrupt(run: Interval, slope: Callable[[Array], Array]) -> bool:
    """Whether the slope jumps to 0 there: one that fades is 0 in floating point only."""
    outside = np.array([run[0] - TOLERANCE, run[1] + TOLERANCE])
    reached = outside[np.isfinite(outside)]
    return bool((np.abs(slope(reached)) > 1e-3).all())


def _normal(f: Callable[[Array], Array]) -> tuple[float, float]:
    """Mean and deviation of f(x) for standard normal x, by the trapezoid rule, out to 12 deviations."""
    x = np.linspace(-12, 12, 24 * 1024 + 1)
    density = np.exp(-(x**2) / 2)
    density /= density.sum()
    mean = float((f(x) * density).sum())
    return mean, math.sqrt(max(0.0, float((f(x) ** 2 * density).sum()) - mean**2))
