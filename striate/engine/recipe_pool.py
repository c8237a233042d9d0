"""Pools: which rows and columns each output reads, and what its mean is divided by."""

from __future__ import annotations

import numpy as np

from striate import ops
from striate.engine.choose import NO_FRAME, Layouts, Part, Recipe, recipe
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.pool import GlobalMean, Pool, Taps
from striate.engine.layout import Frame, Layout
from striate.engine.stage import MeanOfRows, Stage
from striate.ops.pooling import AvgPool, ExtremePool


def finish_of(stage: Stage, layouts: Layouts) -> tuple[Finish, dict[str, str]]:
    """What follows the stage's word, and the value it adds."""
    if stage.added is None:
        return Finish(stage.words), {}
    return Finish(stage.words, layouts[stage.added.root]), {"added": stage.added.root}


def two_axes(values: tuple[int, ...], one: int) -> tuple[int, int]:
    """A sequence is a map of one row."""
    return (one, values[0]) if len(values) == 1 else (values[0], values[1])


@recipe(ops.MaxPool1d, ops.MaxPool2d, ops.MinPool1d, ops.MinPool2d, ops.AvgPool1d, ops.AvgPool2d)
class WindowPool(Recipe):
    """``taps``: for each axis, the places that each output reads; -1 and size stand for padding."""

    def __init__(self, stage: Stage, settings: object) -> None:
        super().__init__(stage, settings)  # type: ignore[arg-type]
        self.mean = isinstance(stage.op, AvgPool)
        self.taps = _window_taps(stage, inside=not self.mean)

    @classmethod
    def takes(cls, stage: Stage) -> bool:
        return stage.inputs[0].natural and all(
            row for taps in _window_taps(stage, inside=True) for row in taps
        )

    def frame(self, root: str, layout: Layout) -> Frame:
        if not self.mean or root != self.stage.inputs[0].root:
            return NO_FRAME
        rows, columns = self.taps
        lows = [min(map(min, taps)) for taps in (rows, columns)]
        highs = [max(map(max, taps)) for taps in (rows, columns)]
        top, left = (max(0, -low) for low in lows)
        bottom, right = max(0, highs[0] - layout.height + 1), max(0, highs[1] - layout.width + 1)
        return top, left, bottom, right

    def build(self, layouts: Layouts) -> list[Part]:
        stage = self.stage
        source, target = stage.inputs[0].root, stage.output.root
        finish, more = finish_of(stage, layouts)
        low = isinstance(stage.op, (ops.MinPool1d, ops.MinPool2d))
        kind = "mean" if self.mean else "min" if low else "max"
        kernel = Pool(layouts[source], layouts[target], kind, *self.taps, finish)
        constants = {"factors": _factors(stage, layouts[target].lanes)} if self.mean else {}
        return [Part(kernel, {"source": source, "target": target, **more}, constants)]


def _window_taps(stage: Stage, *, inside: bool) -> tuple[Taps, Taps]:
    """``inside``: a tap in the padding is replaced by one of the same window that is not."""
    op = stage.op
    if not isinstance(op, (AvgPool, ExtremePool)):
        raise TypeError(type(op).__name__)
    kernel, stride = two_axes(op.kernel_size, 1), two_axes(op.stride, 1)
    dilation = two_axes(getattr(op, "dilation", (1,) * op.axes), 1)
    before = two_axes(tuple(pair[0] for pair in op.pads), 0)
    axes = []
    for size, count, k, s, d, p in zip(
        stage.inputs[0].dims[1:], stage.output.dims[1:], kernel, stride, dilation, before, strict=True
    ):
        rows = []
        for i in range(count):
            places = [i * s + d * tap - p for tap in range(k)]
            real = [place for place in places if 0 <= place < size]
            rows.append(
                tuple(place if place in real or not inside else real[0] for place in places) if real else ()
            )
        axes.append(tuple(rows))
    return axes[0], axes[1]


def _factors(stage: Stage, lanes: int) -> np.ndarray:
    """1 / divisor of each output, in every lane. What ceil_mode reaches beyond the padding never counts."""
    op = stage.op
    if not isinstance(op, AvgPool):
        raise TypeError(type(op).__name__)
    pads = ((0, 0), *op.pads) if op.axes == 1 else op.pads
    counts = []
    for taps, size, (before, after) in zip(
        _window_taps(stage, inside=False), stage.inputs[0].dims[1:], pads, strict=True
    ):
        low, high = (-before, size + after) if op.count_include_pad else (0, size)
        counts.append(np.array([sum(low <= place < high for place in row) for row in taps], np.float64))
    divisor = np.multiply.outer(*counts) if op.divisor_override is None else np.float64(op.divisor_override)
    factors = np.broadcast_to(1 / divisor, stage.output.dims[1:])
    return np.repeat(factors.astype(np.float32).ravel(), lanes)


@recipe(
    ops.AdaptiveAvgPool1d,
    ops.AdaptiveAvgPool2d,
    ops.AdaptiveMaxPool1d,
    ops.AdaptiveMaxPool2d,
)
class AdaptivePool(Recipe):
    """Window i covers floor(i*W/N) to ceil((i+1)*W/N); shorter windows are filled up to the longest."""

    def __init__(self, stage: Stage, settings: object) -> None:
        super().__init__(stage, settings)  # type: ignore[arg-type]
        self.mean = isinstance(stage.op, (ops.AdaptiveAvgPool1d, ops.AdaptiveAvgPool2d))

    @classmethod
    def takes(cls, stage: Stage) -> bool:
        return stage.inputs[0].natural

    def _bins(self) -> list[list[range]]:
        sizes, counts = self.stage.inputs[0].dims[1:], self.stage.output.dims[1:]
        return [
            [range(i * size // n, -(-(i + 1) * size // n)) for i in range(n)]
            for size, n in zip(sizes, counts, strict=True)
        ]

    def _uneven(self) -> list[bool]:
        return [len({len(b) for b in axis}) > 1 for axis in self._bins()]

    def frame(self, root: str, layout: Layout) -> Frame:
        """A mean fills short windows up with zeros: row or column -1."""
        if not self.mean or root != self.stage.inputs[0].root:
            return NO_FRAME
        top, left = (int(uneven) for uneven in self._uneven())
        return top, left, 0, 0

    def build(self, layouts: Layouts) -> list[Part]:
        stage = self.stage
        source, target = stage.inputs[0].root, stage.output.root
        finish, more = finish_of(stage, layouts)
        values = {"source": source, "target": target, **more}
        if self.mean and layouts[target].pixels == 1 and finish.added is None:
            mean = GlobalMean(layouts[source], layouts[target], 1 / layouts[source].pixels, finish)
            return [Part(mean, values)]
        taps = []
        for axis in self._bins():
            longest = max(map(len, axis))
            taps.append(tuple((*b, *[-1 if self.mean else b[0]] * (longest - len(b))) for b in axis))
        kernel = Pool(
            layouts[source], layouts[target], "mean" if self.mean else "max", taps[0], taps[1], finish
        )
        counts = [np.array([len(b) for b in axis], np.float64) for axis in self._bins()]
        factors = (1 / np.multiply.outer(*counts)).astype(np.float32).ravel()
        constants = {"factors": np.repeat(factors, layouts[target].lanes)} if self.mean else {}
        return [Part(kernel, values, constants)]


@recipe(MeanOfRows)
class FromRows(Recipe):
    """The mean over a map whose rows somebody else has summed."""

    @classmethod
    def takes(cls, stage: Stage) -> bool:
        return stage.added is None

    def build(self, layouts: Layouts) -> list[Part]:
        stage = self.stage
        if not isinstance(stage.op, MeanOfRows):
            raise TypeError(type(stage.op).__name__)
        source, target = stage.inputs[0].root, stage.output.root
        kernel = GlobalMean(layouts[source], layouts[target], 1 / stage.op.pixels, Finish(stage.words))
        return [Part(kernel, {"source": source, "target": target})]


@recipe(ops.Mean, ops.Sum)
class OverAll(Recipe):
    """The mean or sum over all spatial axes."""

    @classmethod
    def takes(cls, stage: Stage) -> bool:
        shape, op = stage.inputs[0].shape, stage.op
        if not isinstance(op, (ops.Mean, ops.Sum)) or len(shape) < 2 or not stage.inputs[0].natural:
            return False
        rank = len(shape) + 1
        spatial = {dim % rank for dim in op.dim} == set(range(2, rank))
        return len(shape) <= 3 and spatial and stage.output.dims == (shape[0], 1, 1) and stage.added is None

    def build(self, layouts: Layouts) -> list[Part]:
        stage = self.stage
        source, target = layouts[stage.inputs[0].root], layouts[stage.output.root]
        factor = 1 / source.pixels if isinstance(stage.op, ops.Mean) else 1.0
        kernel = GlobalMean(source, target, factor, Finish(stage.words))
        return [Part(kernel, {"source": stage.inputs[0].root, "target": stage.output.root})]
