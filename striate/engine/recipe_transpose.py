"""Transposed convolution: s x s ordinary convolutions, one for each phase of the result.

Input pixel i paints tap k at t = s*i + d*k - p. Seen from the result, pixel t of phase r = (t + p) mod s is
the sum over all taps with d*k = r + s*m of x[q - m] * w[k], with q = (t + p) div s: a convolution of stride 1
whose taps are every (s / gcd(s, d))-th of the kernel's, flipped, and d / gcd(s, d) apart. Nothing is
multiplied by the zeros that one may imagine between the input's pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from striate import ops
from striate.engine.choose import Layouts, Part, Recipe, Settings, recipe
from striate.engine.kernels.direct import Window
from striate.engine.kernels.interleave import Interleave, Places
from striate.engine.layout import Frame, Layout, joined
from striate.engine.recipe_convolution import Convolution
from striate.engine.recipe_pool import finish_of, two_axes
from striate.engine.stage import Stage
from striate.ops.convolution import ConvTranspose

PHASES = "phases"  # the operand, and the memory in which they lie one after the other


@dataclass(frozen=True)
class AxisPhase:
    """On one axis: ``taps`` of the kernel in the order in which they meet x, ``dilation`` apart in x.

    ``before``: how many pixels left of its own number the first output's first tap lies (it may be negative).
    """

    taps: tuple[int, ...]
    dilation: int
    before: int


@dataclass(frozen=True)
class Axis:
    """``phases``: those that some output needs; ``places``: output t -> (place of its phase there, pixel)."""

    phases: tuple[AxisPhase, ...]
    places: Places
    count: int  # of pixels in each phase, the longest one's

    @classmethod
    def of(cls, kernel: int, stride: int, dilation: int, cut: int, outputs: int) -> Axis:
        remainders = sorted({(t + cut) % stride for t in range(outputs)})
        first = {r: -((r - cut) // stride) for r in remainders}  # q of the first output of the phase
        phases = []
        for r in remainders:
            reached = [
                (k, (dilation * k - r) // stride) for k in range(kernel) if (dilation * k - r) % stride == 0
            ]
            step = reached[1][1] - reached[0][1] if len(reached) > 1 else 1
            before = reached[-1][1] - first[r] if reached else 0
            phases.append(AxisPhase(tuple(k for k, _ in reversed(reached)), step, before))
        places = [
            (remainders.index(r), q - first[r]) for q, r in (divmod(t + cut, stride) for t in range(outputs))
        ]
        return cls(tuple(phases), tuple(places), 1 + max(at for _, at in places))


class Phase(Convolution):
    """A convolution whose window and weights are given."""

    def __init__(self, stage: Stage, settings: Settings, window: Window, weight: np.ndarray, groups: int):
        Recipe.__init__(self, stage, settings)
        self.window, self.weight, self.groups = window, weight, groups


@recipe(ops.ConvTranspose1d, ops.ConvTranspose2d)
class Transposed(Recipe):
    @classmethod
    def takes(cls, stage: Stage) -> bool:
        return stage.inputs[0].natural

    def __init__(self, stage: Stage, settings: Settings) -> None:
        super().__init__(stage, settings)
        op = stage.op
        if not isinstance(op, ConvTranspose):
            raise TypeError(type(op).__name__)
        sizes = [two_axes(size, 1) for size in (op.kernel_size, op.stride, op.dilation)]
        geometry = zip(*sizes, two_axes(op.padding, 0), stage.output.dims[1:], strict=True)
        self.axes = [Axis.of(*numbers) for numbers in geometry]
        rows, columns = self.axes
        self.windows = [
            Window(
                (max(1, len(down.taps)), max(1, len(across.taps))),
                dilation=(down.dilation, across.dilation),
                before=(down.before, across.before),
            )
            for down in rows.phases
            for across in columns.phases
        ]

    def frame(self, root: str, layout: Layout) -> Frame:
        found: Frame = (0, 0, 0, 0)
        if root == self.stage.inputs[0].root:
            for window in self.windows:
                size = (self.axes[0].count, self.axes[1].count)
                found = joined(found, window.frame((layout.height, layout.width), size))
        return found

    def build(self, layouts: Layouts) -> list[Part]:
        stage, (rows, columns) = self.stage, self.axes
        if len(self.windows) == 1:
            (weight,) = self._weights()
            return Phase(stage, self.settings, self.windows[0], weight, self._groups).build(layouts)
        target = layouts[stage.output.root]
        one = Layout(target.channels, rows.count, columns.count, target.lanes)
        one = replace(one, total=one.blocks * len(self.windows))
        plain = replace(stage, output=replace(stage.output, root=PHASES), words=(), added=None)
        settings = replace(self.settings, exact=True)  # a form in two parts would need memory of its own
        parts = []
        for number, (window, weight) in enumerate(zip(self.windows, self._weights(), strict=True)):
            phase = replace(one, first=number * one.blocks)
            (part,) = Phase(plain, settings, window, weight, self._groups).build({**layouts, PHASES: phase})
            parts.append(replace(part, memory={"target": one.size}, wait=number == len(self.windows) - 1))
        finish, more = finish_of(stage, layouts)
        row_places = tuple((number * len(columns.phases), at) for number, at in rows.places)
        together = Interleave(one, target, row_places, columns.places, finish)
        values = {"phases": PHASES, "target": stage.output.root, **more}
        return [*parts, Part(together, values, memory={"phases": one.size})]

    @property
    def _groups(self) -> int:
        return int(self.stage.op.groups)  # type: ignore[attr-defined]

    def _weights(self) -> list[np.ndarray]:
        """Of each phase, as a convolution has them: (K, C / groups, taps down, taps across)."""
        weight, groups = self.stage.tensors["weight"], self._groups
        inputs, outputs = weight.shape[:2]
        whole = weight.reshape(groups, inputs // groups, outputs, *two_axes(weight.shape[2:], 1))
        whole = whole.swapaxes(1, 2).reshape(groups * outputs, inputs // groups, *whole.shape[3:])
        rows, columns = self.axes
        return [
            whole[:, :, list(down.taps)][..., list(across.taps)]
            if down.taps and across.taps
            else np.zeros((*whole.shape[:2], *window.kernel), whole.dtype)
            for window, (down, across) in zip(self.windows, product(rows.phases, columns.phases), strict=True)
        ]
