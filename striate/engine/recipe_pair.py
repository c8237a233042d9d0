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
from striate.engine.kernels.packed import Packed, packed
from striate.engine.kernels.pair import PairKernel, paired
from striate.engine.kernels.rounding import Rounded, in_words
from striate.engine.kernels.storage import DOTS
from striate.engine.kernels.strassen import Strassen
from striate.engine.kernels.strassen_choice import strassen
from striate.engine.kernels.tile import uneven
from striate.engine.layout import Layout
from striate.engine.recipe_convolution import window_of
from striate.engine.recipe_pool import finish_of
from striate.engine.stage import Pair, Stage
from striate.engine.target import Target

TOGETHER = 1.08  # measured: one pass over what is expected of it
MOST_FORMS = 3  # of one pass, that are worth a measurement
MOST = 2  # forms of one pass over rounded maps that are worth a measurement


@recipe(Pair)
class Paired(Recipe):
    @classmethod
    def takes(cls, stage: Stage) -> bool:
        return stage.inputs[0].natural

    def forms(self, layouts: Layouts) -> list[Form]:
        stage, settings, machine = self.stage, self.settings, self.settings.target
        if not isinstance(stage.op, Pair):
            raise TypeError(type(stage.op).__name__)
        source, target = layouts[stage.inputs[0].root], layouts[stage.output.root]
        finish, more = finish_of(stage, layouts)
        sums = layouts[stage.sums.root] if stage.sums else None
        values = {"source": stage.inputs[0].root, "target": stage.output.root, **more}
        if stage.sums:
            values["sums"] = stage.sums.root
        between, window = Finish(stage.op.words), window_of(stage.op.second)
        kernels = paired(source, target, between, window, finish, settings, sums)
        if settings.threads > 1:  # an odd unit is left to one of them
            kernels.sort(key=lambda one: cycles(one, machine) * uneven(one.units, settings.threads))
        kernels = kernels[:MOST_FORMS]
        found = [Form((Part(kernel, values),), (partial(self._pack, kernel),)) for kernel in kernels]
        sides = (source.height, source.width)
        wide = Layout(target.channels, *sides, target.lanes)
        wide = wide.framed(window.frame(sides, (target.height, target.width)))
        others, before = list[Form](), (source, wide, (1, 1), between, machine, settings.threads)
        seven = strassen(*before)
        if seven is not None and not settings.exact:
            others.append(self._apart(seven, target, window, finish, sums, values))
        if settings.dots:
            others.append(self._apart(packed(*before, stored=DOTS), target, window, finish, sums, values))
            kernels = paired(source, target, between, window, finish, settings, sums, DOTS)
            others += [self._of_words(source, kernel, values) for kernel in kernels[:MOST]]
        for form in others:
            pays = _expected(form, machine) < _expected(found[0], machine)
            found.insert(0 if pays else len(found), form)
        return found

    def _of_words(self, source: Layout, kernel: PairKernel, values: Mapping[str, str]) -> Form:
        """In one pass over the map rounded to bf16."""
        name, size = f"{self.stage.output.root} in words", kernel.source.size
        first = Part(
            Rounded(source, in_words(source)),
            {"source": values["source"], "target": name},
            memory={"target": size},
        )
        second = Part(kernel, {**values, "source": name}, memory={"source": size})
        return Form((first, second), (dict, partial(self._pack, kernel)))

    def _apart(
        self,
        first: Strassen | Packed,
        target: Layout,
        window: Window,
        finish: Finish,
        sums: Layout | None,
        values: Mapping[str, str],
    ) -> Form:
        """One after the other, where the first is another product: it may save more than the map costs."""
        machine, tensors, wide = self.settings.target, self.stage.tensors, first.target
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
            Part(first, {"source": values["source"], "target": name}, memory=there, wait=False),
            Part(FrameKernel(wide), {"target": name}, memory=there),
            Part(rows, {**values, "source": name}, memory=back),
        )
        one = partial(first.pack, tensors["weight"][:, :, 0, 0], tensors.get("bias"))
        two = partial(rows.pack, tensors["second.weight"], tensors.get("second.bias"))
        return Form(parts, (one, dict, two))

    def _pack(self, kernel: PairKernel) -> dict[str, np.ndarray]:
        tensors = self.stage.tensors
        found = kernel.panels.pack(tensors["weight"][:, :, 0, 0], tensors.get("bias"), kernel.stored)
        return found | kernel.pack_second(tensors["second.weight"], tensors.get("second.bias"))


def _expected(form: Form, machine: Target) -> float:
    """Cycles of all parts. One after the other, the wide map travels; in one pass, it does not."""
    *before, last = (cycles(part.kernel, machine) for part in form.parts)
    if isinstance(form.parts[-1].kernel, PairKernel):
        return sum(before) + TOGETHER * last
    size = 4 * form.parts[0].memory["target"]
    return sum(before) + last + 2 * size / core(machine).rate(size)
