"""A network's first convolution and the next one: the largest map of all need not be stored."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np

from striate import ops
from striate.arithmetic import output_shapes
from striate.engine.choose import RECIPES, Form, Layouts, Part, Recipe, choose, recipe
from striate.engine.kernels.core import WHOLE, core
from striate.engine.kernels.estimate import cycles
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.frame import Frame as FrameKernel
from striate.engine.kernels.opening import opening
from striate.engine.layout import Frame, Layout, joined
from striate.engine.recipe_convolution import Convolution, window_of
from striate.engine.recipe_pool import finish_of
from striate.engine.stage import Opening, Pooled, Stage, Value, natural_dims

FEW = 4  # channels of an image
MOST_TAPS = 49
SECOND_ROLE = "second."


@recipe(Opening)
class Opened(Recipe):
    """Two recipes in one: each convolution's own, where they run apart."""

    @classmethod
    def takes(cls, stage: Stage) -> bool:
        """Whether both may be one: few channels, a map that no second-level cache holds, a 3x3 window."""
        first, second = _first(stage), _second(stage)
        if not Convolution.takes(first) or not RECIPES[type(second.op)].takes(second):
            return False
        seen, last = _convolutions(stage)
        channels, height, width = first.output.dims
        few = first.inputs[0].dims[0] <= FEW and window_of(seen).taps <= MOST_TAPS
        plain = last.kernel_size == (3, 3) and last.stride == last.dilation == (1, 1)
        padded = last.pads in (((0, 0), (0, 0)), ((1, 1), (1, 1)))
        lone = seen.groups == last.groups == 1
        return few and plain and padded and lone and 4 * channels * height * width > WHOLE.second

    def __init__(self, stage: Stage, settings: object) -> None:
        super().__init__(stage, settings)  # type: ignore[arg-type]
        self.first = Convolution(_first(stage), settings)
        self.second = choose(_second(stage), self.settings)
        self.planar = self.first.planar
        seen, last = _convolutions(stage)
        self.windows = window_of(seen), window_of(last)

    def frame(self, root: str, layout: Layout) -> Frame:
        """The first window's, and that of what the second's padding would make it see."""
        (top, left), (sy, sx), (above, before) = (
            self.windows[0].before,
            self.windows[0].stride,
            self.windows[1].before,
        )
        if root != self.stage.inputs[0].root:
            return self.second.frame(root, layout)
        wider = replace(self.windows[0], before=(top + above * sy, left + before * sx))
        _, height, width = self.first.stage.output.dims
        seen = wider.frame((layout.height, layout.width), (height + 2 * above, width + 2 * before))
        return joined(self.first.frame(root, layout), seen)

    def forms(self, layouts: Layouts) -> list[Form]:
        """In one pass, if that pays; else one after the other."""
        between = self.first.stage.output
        lanes = layouts[self.stage.output.root].lanes
        whole = Layout(*between.dims, lanes)
        whole = whole.framed(self.second.frame(between.root, whole))
        known = {**layouts, between.root: whole}
        firsts, seconds = self.first.forms(known), self.second.forms(known)
        pairs = [*product(firsts, seconds[:1]), *product(firsts[:1], seconds[1:])]
        apart = [_one_after_the_other(*pair, between.root, whole) for pair in pairs]
        one = self._in_one_pass(layouts, whole)
        if one is None:
            return apart
        machine = self.settings.target
        travels = 12 * whole.size / core(machine).rate(4 * whole.size)  # asked for, written and read
        apart_cycles = sum(cycles(part.kernel, machine) for part in apart[0].parts) + travels
        pays = cycles(one.parts[0].kernel, machine) < apart_cycles
        return [one, *apart] if pays else [*apart, one]

    def _in_one_pass(self, layouts: Layouts, whole: Layout) -> Form | None:
        stage, op = self.stage, self.stage.op
        image, target = layouts[stage.inputs[0].root], layouts[stage.output.root]
        if self.settings.exact or not isinstance(op, Opening) or image.lanes not in (1, target.lanes):
            return None
        finish, more = finish_of(stage, layouts)
        pool, finishes = 1, (finish, Finish())
        if isinstance(op.second, Pooled):
            pool, finishes = 2, (Finish(op.second.words), finish)
        between = Finish(op.words)
        kernel = opening(image, whole, target, self.windows, between, finishes, pool, self.settings.target)
        if kernel is None:
            return None
        first, second = self.first, _second(stage).tensors
        values = {"source": stage.inputs[0].root, "target": stage.output.root, **more}

        def pack() -> dict[str, np.ndarray]:
            own = kernel.pack_first(first.weight, first.stage.tensors.get("bias"))
            return own | kernel.scheme.pack(second["weight"], second.get("bias"))

        return Form((Part(kernel, values),), (pack,))


def _op(stage: Stage) -> Opening:
    if not isinstance(stage.op, Opening):
        raise TypeError(type(stage.op).__name__)
    return stage.op


def _convolutions(stage: Stage) -> tuple[ops.Conv2d, ops.Conv2d]:
    op = _op(stage)
    return op.first, op.second.first if isinstance(op.second, Pooled) else op.second


def _first(stage: Stage) -> Stage:
    op = _op(stage)
    (_, *sides) = output_shapes(op.first, [("N", *stage.inputs[0].shape)]).shape
    shape = tuple(map(int, sides))
    output = Value(f"{stage.output.root} opening", shape, natural_dims(shape))
    tensors = {role: array for role, array in stage.tensors.items() if not role.startswith(SECOND_ROLE)}
    return Stage(op.first, stage.inputs, output, tensors, op.words, covers=stage.covers)


def _second(stage: Stage) -> Stage:
    tensors = {
        role.removeprefix(SECOND_ROLE): array
        for role, array in stage.tensors.items()
        if role.startswith(SECOND_ROLE)
    }
    inputs = (_first(stage).output,)
    return Stage(_op(stage).second, inputs, stage.output, tensors, stage.words, stage.added, stage.covers)


def _one_after_the_other(first: Form, second: Form, root: str, whole: Layout) -> Form:
    """What the first computes, and zeros around it, go into memory that the second reads."""
    *parts, result = first.parts
    result = replace(result, memory={**result.memory, "target": whole.size})
    frame = Part(FrameKernel(whole), {"target": root}, memory={"target": whole.size})
    reading = [
        replace(part, memory={**part.memory, "source": whole.size})
        if part.values.get("source") == root
        else part
        for part in second.parts
    ]
    frames, none = ([frame], [dict]) if any(whole.frame) else ([], [])
    return Form((*parts, result, *frames, *reading), (*first.packs, *none, *second.packs))
