"""Orientation tuning of a first layer, learned or fixed: gratings are shown to it, and its answers counted.

The experiment of Hubel and Wiesel, with the drifting gratings of their successors: for every orientation and
spatial frequency the cell's answer, rectified, is averaged over the phases of the grating (F0), and the share
that follows the phase (F1) says whether the cell is simple or complex. Plain NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from striate.errors import ArgumentError
from striate.insight.tuning import Tuning

Answers = Callable[[np.ndarray], np.ndarray]
"""Images (n, channels, H, W), float32, to the answers of K cells: (n, K), or (n, K, H', W')."""

ORIENTATIONS = 36  # 5 degrees apart
PHASES = 16
FREQUENCIES = 8
HIGHEST = 0.4  # cycles per pixel; from 0.5 on a grating looks like a coarser one


def orientation_tuning(
    layer: np.ndarray | Answers,
    *,
    channels: int = 1,
    size: int | None = None,
    frequencies: Sequence[float] | np.ndarray | None = None,
    orientations: int = ORIENTATIONS,
    phases: int = PHASES,
) -> Tuning:
    """Show gratings of contrast 1 to a layer.

    ``layer`` is the weight (K, C, h, w) of a convolution, without its bias, or anything that answers to
    images (n, ``channels``, ``size``, ``size``), such as ``answers_of(module)``; of maps the middle counts.
    ``frequencies`` are in cycles per pixel, by default eight from half a cycle in the window to 0.4.

    Raises ArgumentError for a weight of other axes or that is not finite, for a callable without ``size``,
    and for fewer than 4 orientations or 3 phases.
    """
    if orientations < 4 or orientations % 2 or phases < 3:
        raise ArgumentError(
            f"orientations must be even and at least 4, phases at least 3, got {orientations} and {phases}: "
            "take more."
        )
    if isinstance(layer, np.ndarray):
        answers, channels, size = _linear(layer)
    elif size is None:
        raise ArgumentError("size must be the side of the images, got None: give the pixels the layer takes.")
    else:
        answers = layer
    steps = np.arange(orientations) * 180 / orientations
    if frequencies is None:
        frequencies = np.geomspace(0.5 / size, HIGHEST, FREQUENCIES)
    waves = np.sort(np.asarray(frequencies, dtype=np.float64))
    shown = [_f0_f1(answers, wave, angle, phases, channels, size) for wave in waves for angle in steps]
    f0, f1 = (np.stack(part, axis=1) for part in zip(*shown, strict=True))  # (K, F * O)
    best = f0.argmax(axis=1)[:, None]
    mean, following = (np.take_along_axis(part, best, 1)[:, 0] for part in (f0, f1))
    modulation = np.divide(following, mean, out=np.full_like(mean, np.nan), where=mean > 0)
    return Tuning(steps, waves, f0.reshape(-1, len(waves), orientations), modulation)


def grating(size: int, frequency: float, orientation: float, phase: float) -> np.ndarray:
    """(size, size) of -1 to 1: cycles per pixel, degrees of the bars, degrees at the middle."""
    position = np.arange(size) - (size - 1) / 2
    up, right = -position[:, None], position[None, :]
    angle = np.radians(orientation)
    across = up * np.cos(angle) - right * np.sin(angle)
    return np.asarray(np.cos(2 * np.pi * frequency * across + np.radians(phase)))


def _f0_f1(
    answers: Answers, frequency: float, orientation: float, phases: int, channels: int, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the rectified answers over the phases, and the amplitude of the part that follows them:
    (K,)."""
    angles = np.arange(phases) * 360 / phases
    images = np.stack([grating(size, frequency, orientation, angle) for angle in angles])
    given = np.repeat(images[:, None], channels, axis=1).astype(np.float32)
    answer = np.asarray(answers(given), dtype=np.float64)
    if answer.ndim == 4:
        answer = answer[:, :, answer.shape[2] // 2, answer.shape[3] // 2]
    rates = np.maximum(answer, 0)
    turns = np.exp(-1j * np.radians(angles))
    return rates.mean(axis=0), 2 * np.abs(turns @ rates) / phases


def _linear(weight: np.ndarray) -> tuple[Answers, int, int]:
    if weight.ndim != 4 or weight.size == 0:
        raise ArgumentError(
            f"layer must have shape (filters, channels, height, width), got {weight.shape}: "
            "give the weight of a two-dimensional convolution."
        )
    if not np.isfinite(weight).all():
        raise ArgumentError("layer must be finite, got NaN or infinity: train again.")
    _, channels, height, width = weight.shape
    size = max(height, width)
    top, left = (size - height) // 2, (size - width) // 2

    def answers(images: np.ndarray) -> np.ndarray:
        seen = images[:, :, top : top + height, left : left + width].astype(np.float64)
        return np.asarray(np.einsum("nchw,kchw->nk", seen, weight.astype(np.float64)))

    return answers, channels, size
