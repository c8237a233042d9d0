"""Orientation tuning: what physiologists read from a cell's answers to gratings. Plain NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

MEASURES = (
    *("modulation", "preferred_orientation", "preferred_frequency"),
    *("half_width", "circular_variance", "selectivity"),
)


@dataclass(frozen=True)
class Tuning:
    """Answers of K cells to gratings, and what physiologists read from them.

    A cell that answers nothing has no preference: NaN there, selectivity 0, circular variance 1.
    """

    orientations: np.ndarray
    """(O,) degrees of the bars from 0 to 180, anticlockwise from the horizontal."""
    frequencies: np.ndarray
    """(F,) cycles per pixel, ascending."""
    responses: np.ndarray
    """(K, F, O): the mean over the phases of the rectified answer, F0."""
    modulation: np.ndarray
    """(K,): F1 / F0 at the preferred grating. Above 1 the cell is simple, below complex (Skottun et al. 1991,
    10.1016/0042-6989(91)90033-2); a rectified linear filter has pi / 2, perfect energy 0."""

    @cached_property
    def curves(self) -> np.ndarray:
        """(K, O): answers over orientation at each cell's preferred frequency."""
        best = self.responses.max(axis=2).argmax(axis=1)
        return np.asarray(self.responses[np.arange(len(best)), best])

    @cached_property
    def preferred_frequency(self) -> np.ndarray:
        """(K,) cycles per pixel."""
        best = self.frequencies[self.responses.max(axis=2).argmax(axis=1)]
        return np.where(self.curves.max(axis=1) > 0, best, np.nan)

    @cached_property
    def preferred_orientation(self) -> np.ndarray:
        """(K,) degrees: the top of the parabola through the best answer and its two neighbours."""
        best, rows = self.curves.argmax(axis=1), np.arange(len(self.curves))
        count = len(self.orientations)
        left, top, right = (self.curves[rows, (best + step) % count] for step in (-1, 0, 1))
        bend = left - 2 * top + right
        shift = np.divide(left - right, 2 * bend, out=np.zeros_like(top), where=bend < 0)
        angle = np.round(self.orientations[best] + shift * 180 / count, 9) % 180
        return np.where(top > 0, angle, np.nan)

    @cached_property
    def half_width(self) -> np.ndarray:
        """(K,) degrees from the peak to half its height, mean of both sides; NaN if one stays above."""
        return np.array([_half_width(curve) for curve in self.curves]) * 180 / len(self.orientations)

    @cached_property
    def circular_variance(self) -> np.ndarray:
        """(K,) 1 - |sum r exp(2i angle)| / sum r: 0 for one orientation only, 1 for none preferred.

        Ringach, Shapley, Hawken 2002, 10.1523/JNEUROSCI.22-13-05639.2002.
        """
        turns = np.exp(2j * np.radians(self.orientations))
        total = self.curves.sum(axis=1)
        length = np.abs(self.curves @ turns)
        return np.asarray(1 - np.divide(length, total, out=np.zeros_like(total), where=total > 0))

    @cached_property
    def selectivity(self) -> np.ndarray:
        """(K,) orientation selectivity index, (best - across) / (best + across), from 0 to 1."""
        best = self.curves.argmax(axis=1)
        rows, across = np.arange(len(best)), (best + len(self.orientations) // 2) % len(self.orientations)
        high, low = self.curves[rows, best], self.curves[rows, across]
        return np.asarray(np.divide(high - low, high + low, out=np.zeros_like(high), where=high > 0))

    def to_json(self) -> dict[str, Any]:
        """Everything but the full table of responses; what is not a number becomes None."""
        content: dict[str, Any] = {name: _numbers(getattr(self, name)) for name in MEASURES}
        axes = {"orientations": _numbers(self.orientations), "frequencies": _numbers(self.frequencies)}
        return axes | content | {"curves": [_numbers(curve) for curve in self.curves]}


def _half_width(curve: np.ndarray) -> float:
    """In steps of orientation; the curve is closed."""
    best, count = int(curve.argmax()), len(curve)
    half = curve[best] / 2
    sides = []
    for direction in (-1, 1):
        walked = curve[(best + direction * np.arange(count // 2 + 1)) % count]
        below = np.flatnonzero(walked < half)
        if half == 0 or len(below) == 0:
            return float("nan")
        first = int(below[0])
        sides.append(first - 1 + (walked[first - 1] - half) / (walked[first - 1] - walked[first]))
    return float(np.mean(sides))


def _numbers(values: np.ndarray) -> list[float | None]:
    return [round(float(value), 6) if np.isfinite(value) else None for value in values]
