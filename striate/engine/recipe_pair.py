"""A 1x1 convolution and the depthwise one behind it, in one pass: the map between them is never stored."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from striate.engine.choose import Form, Layouts, Part, Recipe, recipe
from striate.engine.kernels.core import core
from striate.engine.kernels.direct import Window
from striate.engine.kernels.estimate import cycles
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.frame import Frame as FrameKernel
from striate.engine.kernels.grouped import Grouped, columns
from striate.engine.kernels.pair import PairKernel, paired
from striate.engine.kernels.strassen import strassen
from striate.engine.layout import Layout
from striate.engine.recipe_convolution import window_of
from striate.engine.recipe_pool import finish_of
from striate.engine.stage import Pair, Stage
from striate.engine.target import Target

TOGETHER = 1.08  # measured: one pass over what is expected of it


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
        sums = layouts[stage.sums.root] if stage.sums else None
        values = {"source": stage.inputs[0].root, "target": stage.output.root, **more}
        if stage.sums:
            values["sums"] = stage.sums.root
        between, window = Finish(stage.op.words), window_of(stage.op.second)
        kernels = paired(source, target, between, window, finish, self.settings, sums)
        found = [Form((Part(kernel, values),), (partial(self._pack, kernel),)) for kernel in kernels]
        apart = self._apart(source, target, between, window, finish, sums, values)
        if apart is None:
            return found
        machine = self.settings.target
        alone = sum(cycles(part.kernel, machine) for part in apart.parts) + _travel(apart, machine)
        return [apart, *found] if alone < TOGETHER * cycles(kernels[0], machine) else [*found, apart]

    def _apart(
        self,
        source: Layout,
        target: Layout,
        between: Finish,
        window: Window,
        finish: Finish,
        sums: Layout | None,
        values: Mapping[str, str],
    ) -> Form | None:
        """One after the other, where Strassen's product is possible: it may save more than the map costs."""
        machine, tensors = self.settings.target, self.stage.tensors
        sides = (source.height, source.width)
        wide = Layout(target.channels, *sides, target.lanes)
        wide = wide.framed(window.frame(sides, (target.height, target.width)))
        seven = strassen(source, wide, (1, 1), between, machine, self.settings.threads)
        if seven is None or self.settings.exact:
            return None
        straight = (tuple(range(target.lanes)),)
        rows = Grouped(
            source=wide,
            target=target,
            window=window,
            finish=finish,
            sums=sums,
            lanes_of=straight,
            tile=columns(target.width, machine.registers),
        )
        name = f"{self.stage.output.root} between"
        there, back = {"target": wide.size}, {"source": wide.size}
        parts = (
            Part(seven, {"source": values["source"], "target": name}, memory=there, wait=False),
            Part(FrameKernel(wide), {"target": name}, memory=there),
            Part(rows, {**values, "source": name}, memory=back),
        )
        first = partial(seven.pack, tensors["weight"][:, :, 0, 0], tensors.get("bias"))
        second = partial(rows.pack, tensors["second.weight"], tensors.get("second.bias"))
        return Form(parts, (first, dict, second))

    def _pack(self, kernel: PairKernel) -> dict[str, np.ndarray]:
        tensors = self.stage.tensors
        found = kernel.panels.pack(tensors["weight"][:, :, 0, 0], tensors.get("bias"))
        return found | kernel.pack_second(tensors["second.weight"], tensors.get("second.bias"))


def _travel(apart: Form, machine: Target) -> float:
    """Cycles for the map between, written and read."""
    size = 4 * apart.parts[0].memory["target"]
    return 2 * size / core(machine).rate(size)
