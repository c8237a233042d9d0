"""``--conv``: one window sliding over a small picture, step by step: what it reads, multiplies, adds, gives.

The picture and the kernel are small whole numbers, so that everything can be checked by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from striate.arithmetic import Derivation, output_shapes
from striate.errors import ArgumentError
from striate.explanation.derive import call
from striate.ops import AvgPool2d, Conv2d, MaxPool2d, MinPool2d
from striate.reference import forward
from striate.reference.padding import padded

MOST_STEPS = 2_500  # a page with more is slow, and nobody watches it to its end
Sliding = Conv2d | MaxPool2d | MinPool2d | AvgPool2d
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Tap:
    """One value that a window reads.

    ``row`` and ``column`` count from the padded picture's corner. ``weight`` is None in a pool. ``counted``
    is False for what a pool leaves out: padding that never wins, or does not count in the mean.
    """

    channel: int
    row: int
    column: int
    value: float
    weight: float | None
    counted: bool


@dataclass(frozen=True)
class Step:
    """One output value: ``map``, ``row`` and ``column`` say which; ``text`` is the sum as one writes it."""

    map: int
    row: int
    column: int
    taps: tuple[Tap, ...]
    result: float
    text: str


@dataclass(frozen=True)
class Walk:
    """All steps of one word on one picture. ``padded``: (C, H, W), NaN where no window may look beyond.

    ``corner``: where the picture begins in it. ``kernels``: (K, C / groups, h, w), None for a pool.
    """

    word: Sliding
    picture: Array
    padded: Array
    corner: tuple[int, int]
    kernels: Array | None
    biases: Array | None
    output: Array
    steps: tuple[Step, ...]
    sizes: tuple[Derivation, ...]

    @property
    def title(self) -> str:
        """ "Conv2d(1, 1, kernel_size=3, stride=2, padding=1) on 1x5x5 gives 1x3x3"."""
        given, gives = ("x".join(map(str, array.shape)) for array in (self.picture, self.output))
        return f"{call(self.word)} on {given} gives {gives}"

    def to_json(self) -> dict[str, Any]:
        """Plain values only; a value that no window may use is None."""
        return {
            "title": self.title,
            "picture": self.picture.tolist(),
            "padded": [[[_plain(v) for v in row] for row in plane] for plane in self.padded],
            "corner": list(self.corner),
            "kernels": None if self.kernels is None else self.kernels.tolist(),
            "biases": None if self.biases is None else self.biases.tolist(),
            "output": self.output.tolist(),
            "sizes": [str(size) for size in self.sizes],
            "steps": [
                {
                    "at": [step.map, step.row, step.column],
                    "taps": [
                        [tap.channel, tap.row, tap.column, _plain(tap.value), tap.weight, tap.counted]
                        for tap in step.taps
                    ],
                    "result": step.result,
                    "text": step.text,
                }
                for step in self.steps
            ],
        }


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def walk(word: Sliding, rows: int, columns: int, channels: int = 1, seed: int = 0) -> Walk:
    """Slide ``word`` over a picture of whole numbers (channels, rows, columns) drawn from ``seed``.

    Raises ShapeError, with the derivation, where the window does not fit, and ArgumentError for more than
    ``MOST_STEPS`` steps.
    """
    derived = output_shapes(word, [(1, channels, rows, columns)])
    count = prod(int(size) for size in derived.shape[1:])
    if count > MOST_STEPS:
        raise ArgumentError(
            f"--conv must give at most {MOST_STEPS:,} values to walk through, got {count:,}: "
            "take a smaller picture or a larger stride."
        )
    draw = np.random.default_rng(seed)
    picture = draw.integers(0, 10, (channels, rows, columns)).astype(float)
    weights = _weights(word, draw)
    output = np.asarray(forward(word, [picture[None]], weights))[0]
    kernels, biases = weights.get("weight"), weights.get("bias")
    field = _field(word, picture, output.shape[1:])
    steps = tuple(_step(word, field, kernels, biases, at, output) for at in np.ndindex(*output.shape))
    corner = (word.pads[0][0], word.pads[1][0])
    return Walk(word, picture, field, corner, kernels, biases, output, steps, derived.derivations)


def _weights(word: Sliding, draw: np.random.Generator) -> dict[str, Array]:
    if not isinstance(word, Conv2d):
        return {}
    kernels = draw.integers(-1, 3, word.weight_shape).astype(float)
    if not word.bias:
        return {"weight": kernels}
    return {"weight": kernels, "bias": draw.integers(-2, 3, word.out_channels).astype(float)}


def _field(word: Sliding, picture: Array, sizes: tuple[int, ...]) -> Array:
    """The picture with its padding, and with NaN where ``ceil_mode`` lets windows hang over."""
    mode = word.padding_mode if isinstance(word, Conv2d) else "zeros"
    empty = 0.0 if isinstance(word, (Conv2d, AvgPool2d)) else np.nan
    if isinstance(word, AvgPool2d) and not word.count_include_pad:
        empty = np.nan
    field = padded(picture, word.pads, mode, empty)
    reach = [
        (size - 1) * stride + span for size, stride, span in zip(sizes, word.stride, word.span, strict=True)
    ]
    over = [(0, max(0, end - size)) for end, size in zip(reach, field.shape[1:], strict=True)]
    return padded(field, over, value=np.nan)


def _step(
    word: Sliding,
    field: Array,
    kernels: Array | None,
    biases: Array | None,
    at: tuple[int, ...],
    output: Array,
) -> Step:
    map_, row, column = at
    taps = tuple(_taps(word, field, kernels, map_, row, column))
    bias = None if biases is None else float(biases[map_])
    result = float(output[at])
    return Step(map_, row, column, taps, result, f"{_sum(word, taps, bias)} = {number(result)}")


def _taps(word: Sliding, field: Array, kernels: Array | None, map_: int, row: int, column: int) -> list[Tap]:
    dilation = getattr(word, "dilation", (1, 1))
    own = range(map_, map_ + 1)
    if isinstance(word, Conv2d):
        width = word.in_channels // word.groups
        first = map_ // (word.out_channels // word.groups) * width
        own = range(first, first + width)
    taps = []
    for index, channel in enumerate(own):
        for u, v in np.ndindex(*word.kernel_size):
            y, x = row * word.stride[0] + u * dilation[0], column * word.stride[1] + v * dilation[1]
            value = float(field[channel, y, x])
            weight = None if kernels is None else float(kernels[map_, index, u, v])
            taps.append(Tap(channel, y, x, value, weight, bool(np.isfinite(value))))
    return taps


def _sum(word: Sliding, taps: tuple[Tap, ...], bias: float | None) -> str:
    """ "0*1 + 3*2 + (-1)", "max(3, 5, 1)", "(3 + 5) / 2"."""
    counted = [tap for tap in taps if tap.counted]
    if isinstance(word, Conv2d):
        products = [f"{number(tap.value)}*{_signed(tap.weight or 0.0)}" for tap in counted]
        return " + ".join([*products, *([] if bias is None else [_signed(bias)])])
    values = ", ".join(number(tap.value) for tap in counted)
    if isinstance(word, AvgPool2d):
        divisor = word.divisor_override or len(counted)
        return f"({values.replace(', ', ' + ')}) / {divisor}"
    return f"{'min' if isinstance(word, MinPool2d) else 'max'}({values})"


def number(value: float) -> str:
    """ "3", "2.333"."""
    return f"{value:.4g}"


def _signed(value: float) -> str:
    return f"({number(value)})" if value < 0 else number(value)
