"""A 1x1 convolution and the depthwise one behind it, in one pass: the map between them is never stored."""

from __future__ import annotations

from functools import partial

import numpy as np

from striate.engine.choose import Form, Layouts, Part, Recipe, recipe
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.pair import PairKernel, paired
from striate.engine.recipe_convolution import window_of
from striate.engine.recipe_pool import finish_of
from striate.engine.stage import Pair, Stage


@recipe(Pair)
class Paired(Recipe):
    @classmethod
    def takes(cls, stage: Stage) -> bool:
        return stage.inputs[0].natural

    def forms(self, layouts: Layouts) -> list[Form]:
        stage = self.stage
        if not isinstance(stage.op, Pair):
            raise TypeError(type(stage.op).__name__)
        source, target = layouts[stage.inputs[0].root], layouts[stage.output.root]
        finish, more = finish_of(stage, layouts)
        values = {"source": stage.inputs[0].root, "target": stage.output.root, **more}
        kernels = paired(
            source, target, Finish(stage.op.words), window_of(stage.op.second), finish, self.settings
        )
        return [Form((Part(kernel, values),), (partial(self._pack, kernel),)) for kernel in kernels]

    def _pack(self, kernel: PairKernel) -> dict[str, np.ndarray]:
        tensors = self.stage.tensors
        found = kernel.panels.pack(tensors["weight"][:, :, 0, 0], tensors.get("bias"))
        return found | kernel.pack_second(tensors["second.weight"], tensors.get("second.bias"))
