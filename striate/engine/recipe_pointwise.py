"""What acts on each value, joins of two maps, and channels that have to move."""

from __future__ import annotations

from striate import ops
from striate.engine.choose import Layouts, Part, Recipe, recipe
from striate.engine.kernels.activation import POINTWISE
from striate.engine.kernels.elementwise import JOINS, Elementwise
from striate.engine.kernels.move import Gathering
from striate.engine.recipe_channels import padded
from striate.engine.recipe_pool import finish_of
from striate.engine.stage import Move, Stage


@recipe(*POINTWISE, ops.Scale, ops.PReLU, *JOINS)
class Pointwise(Recipe):
    @classmethod
    def takes(cls, stage: Stage) -> bool:
        first, output = stage.inputs[0], stage.output
        if isinstance(stage.op, (ops.Scale, ops.PReLU)):
            channels = len(first.shape) == 1 or getattr(stage.op, "dim", 1) == 1
            return first.natural and len(first.shape) <= 3 and channels
        if isinstance(stage.op, JOINS):
            return all(
                (value.shape == output.shape and value.dims == output.dims)
                or (value.natural and output.natural and value.shape == (output.shape[0], 1, 1))
                for value in stage.inputs
            )
        return first.dims == output.dims

    def build(self, layouts: Layouts) -> list[Part]:
        stage = self.stage
        finish, more = finish_of(stage, layouts)
        target = layouts[stage.output.root]
        sources = tuple(layouts[value.root] for value in stage.inputs)
        kernel = Elementwise(stage.op, sources, target, finish)
        values = {f"source{i}": value.root for i, value in enumerate(stage.inputs)}
        return [Part(kernel, {**values, "target": stage.output.root, **more}, padded(stage, target))]


@recipe(Move)
class Moving(Recipe):
    def build(self, layouts: Layouts) -> list[Part]:
        stage = self.stage
        if not isinstance(stage.op, Move):
            raise TypeError(type(stage.op).__name__)
        sources = tuple(layouts[value.root] for value in stage.inputs)
        values = {f"source{i}": value.root for i, value in enumerate(stage.inputs)}
        kernel = Gathering(sources, layouts[stage.output.root], stage.op.places)
        return [Part(kernel, {**values, "target": stage.output.root})]
