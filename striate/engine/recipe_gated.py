"""A gate and the 1x1 convolution behind it, in one: its weights or the pixels it copies are multiplied."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from striate.engine.choose import Form, Layouts, Part, Recipe, recipe
from striate.engine.kernels.estimate import cycles
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.gate import GatedWeights
from striate.engine.kernels.matrix import matrix
from striate.engine.kernels.packed import Packed, packed, pays
from striate.engine.kernels.panels import Panels, product_tile
from striate.engine.kernels.storage import DOTS
from striate.engine.kernels.strassen import Strassen
from striate.engine.kernels.strassen_choice import strassen
from striate.engine.layout import Layout
from striate.engine.recipe_convolution import window_of
from striate.engine.recipe_pool import finish_of
from striate.engine.stage import Gated, Stage


@recipe(Gated)
class GatedConvolution(Recipe):
    @classmethod
    def takes(cls, stage: Stage) -> bool:
        return isinstance(stage.op, Gated) and stage.op.convolution.padding_mode == "zeros"

    def __init__(self, stage: Stage, settings: object) -> None:
        super().__init__(stage, settings)  # type: ignore[arg-type]
        if not isinstance(stage.op, Gated):
            raise TypeError(type(stage.op).__name__)
        self.stride = window_of(stage.op.convolution).stride
        self.weight, self.bias = stage.tensors["weight"][:, :, 0, 0], stage.tensors.get("bias")

    def forms(self, layouts: Layouts) -> list[Form]:
        stage, settings, bias = self.stage, self.settings, self.bias
        (gate,), (wide,) = (
            [value.root for value in stage.inputs if (value.dims[1:] == (1, 1)) is lone]
            for lone in (True, False)
        )
        finish, more = finish_of(stage, layouts)
        values = {"source": wide, "gate": gate, "target": stage.output.root, **more}
        source, target, factors = layouts[wide], layouts[stage.output.root], layouts[gate]
        machine, threads = settings.target, settings.threads
        copied = packed(source, target, self.stride, finish, machine, threads, factors)
        found = [Form((Part(copied, values),), (partial(copied.pack, self.weight, bias),))]
        if self.stride == (1, 1):
            own = self._by_weights(source, target, factors, finish, values)
            found.insert(pays(source, target, self.stride, machine), own)
        others: list[Strassen | Packed] = []
        seven = strassen(source, target, self.stride, finish, machine, threads, factors)
        if seven is not None and not settings.exact:
            others.append(seven)
        if settings.dots:
            others.append(packed(source, target, self.stride, finish, machine, threads, factors, DOTS))
        for kernel in others:
            form = Form((Part(kernel, values),), (partial(kernel.pack, self.weight, bias),))
            before = sum(cycles(part.kernel, machine) for part in found[0].parts)
            found.insert(0 if cycles(kernel, machine) < before else len(found), form)
        return found

    def _by_weights(
        self, source: Layout, target: Layout, gate: Layout, finish: Finish, values: Mapping[str, str]
    ) -> Form:
        """Each image's own weights, and the plain product."""
        tile = product_tile(source.pixels, target.blocks, source.channels, self.settings.target)
        product = matrix(source, target, finish, tile, own=True)
        panels, name = product.panels, f"{self.stage.output.root} weights"
        made = Part(
            GatedWeights(gate, panels),
            {"gate": values["gate"], "target": name},
            memory={"target": panels.weights},
        )
        others = {operand: root for operand, root in values.items() if operand != "gate"}
        used = Part(product, {**others, "weights": name}, memory={"weights": panels.weights})
        return Form((made, used), tuple(partial(self._pack, panels, kind) for kind in ("weights", "bias")))

    def _pack(self, panels: Panels, operand: str) -> dict[str, np.ndarray]:
        return {operand: panels.pack(self.weight, self.bias)[operand]}
