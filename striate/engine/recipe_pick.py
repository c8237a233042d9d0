"""Words whose every output pixel is one input pixel, or 0: padding, cropping, nearest enlargement."""

from __future__ import annotations

import numpy as np

from striate import ops
from striate.engine.choose import Layouts, Part, Recipe, recipe
from striate.engine.kernels.pool import Pool
from striate.engine.layout import Frame, Layout
from striate.engine.recipe_pool import finish_of
from striate.engine.stage import Stage
from striate.reference import forward


@recipe(ops.Pad, ops.Slice)
class Picked(Recipe):
    """A pool of windows of one pixel. Which, the word's own definition says, asked for their numbers."""

    @classmethod
    def takes(cls, stage: Stage) -> bool:
        first, op = stage.inputs[0], stage.op
        axes = len(first.shape) - 1
        if not first.natural or not stage.output.natural or axes not in (1, 2):
            return False
        match op:
            case ops.Pad(padding=pads, value=value):
                return len(pads) <= axes and value == 0
            case ops.Slice(dim=dim):
                return dim % (axes + 2) >= 2
        return False

    def _numbers(self) -> tuple[list[int], list[int]]:
        """For each output row (column) the input row (column) that it is; -1: zeros."""
        spatial = self.stage.inputs[0].shape[1:]
        found = []
        for axis, size in enumerate(spatial):
            numbers = np.arange(1, size + 1, dtype=np.float64).reshape(
                [size if i == axis else 1 for i in range(len(spatial))]
            )
            result = forward(self.stage.op, [np.broadcast_to(numbers, (1, 1, *spatial)).copy()], {})
            others = tuple(2 + i for i in range(len(spatial)) if i != axis)
            taken = np.asarray(result).max(axis=(0, 1, *others)).astype(int) - 1
            found.append([int(number) for number in taken])
        rows, columns = found if len(found) == 2 else ([0], found[0])
        return rows, columns

    def frame(self, root: str, layout: Layout) -> Frame:
        rows, columns = self._numbers()
        return int(-1 in rows), int(-1 in columns), 0, 0

    def build(self, layouts: Layouts) -> list[Part]:
        stage = self.stage
        source, target = stage.inputs[0].root, stage.output.root
        finish, more = finish_of(stage, layouts)
        rows, columns = (tuple((number,) for number in numbers) for numbers in self._numbers())
        kernel = Pool(layouts[source], layouts[target], "max", rows, columns, finish)
        return [Part(kernel, {"source": source, "target": target, **more})]
