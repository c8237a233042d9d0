"""Resampling: nearest enlargement picks pixels, the linear one takes means of four."""

from __future__ import annotations

import numpy as np

from striate import ops
from striate.engine.choose import NO_FRAME, Layouts, Part, recipe
from striate.engine.kernels.resample import Bilinear
from striate.engine.layout import Frame, Layout
from striate.engine.recipe_pick import Picked
from striate.engine.recipe_pool import finish_of
from striate.engine.stage import Stage
from striate.reference.upsample import Neighbours, neighbours

ONE_ROW: Neighbours = (np.zeros(1, int), np.zeros(1, int), np.zeros(1))  # of a sequence


@recipe(ops.Upsample)
class Resampled(Picked):
    @classmethod
    def takes(cls, stage: Stage) -> bool:
        first = stage.inputs[0]
        return first.natural and stage.output.natural and len(first.shape) in (2, 3)

    @property
    def _picks(self) -> bool:
        return getattr(self.stage.op, "mode", "") == "nearest"

    def frame(self, root: str, layout: Layout) -> Frame:
        return super().frame(root, layout) if self._picks else NO_FRAME

    def build(self, layouts: Layouts) -> list[Part]:
        stage = self.stage
        if self._picks or not isinstance(stage.op, ops.Upsample):
            return super().build(layouts)
        source, target = stage.inputs[0].root, stage.output.root
        finish, more = finish_of(stage, layouts)
        found = neighbours(stage.op, stage.inputs[0].shape[1:])
        axes = found if len(found) == 2 else [ONE_ROW, *found]
        rows, columns = (tuple(zip(low.tolist(), high.tolist(), strict=True)) for low, high, _ in axes)
        kernel = Bilinear(layouts[source], layouts[target], rows, columns, finish)
        shares = {
            role: axis[2].astype(np.float32)
            for role, axis in zip(("rows_share", "columns_share"), axes, strict=True)
        }
        return [Part(kernel, {"source": source, "target": target, **more}, shares)]
