"""A convolution and the largest of every 2 x 2 of its results: the map between them need not be stored."""

from __future__ import annotations

from dataclasses import replace

from striate.arithmetic import output_shapes
from striate.engine.choose import Form, Layouts, Part, Recipe, recipe
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.pool import Pool
from striate.engine.layout import Frame, Layout
from striate.engine.recipe_convolution import Convolution
from striate.engine.stage import Pooled, Stage, Value, natural_dims


@recipe(Pooled)
class PooledConvolution(Recipe):
    @classmethod
    def takes(cls, stage: Stage) -> bool:
        return stage.added is None and Convolution.takes(_convolution(stage))

    def __init__(self, stage: Stage, settings: object) -> None:
        super().__init__(stage, settings)  # type: ignore[arg-type]
        self.first = Convolution(_convolution(stage), settings)
        self.planar = self.first.planar

    def frame(self, root: str, layout: Layout) -> Frame:
        return self.first.frame(root, layout)

    def forms(self, layouts: Layouts) -> list[Form]:
        """In Winograd's output transform, if that pays; else in a pass of its own."""
        stage, target = self.stage, layouts[self.stage.output.root]
        between = self.first.stage.output
        wide = Layout(*between.dims, target.lanes)
        pays, together = self.first.pooled(layouts, stage.output.root, Finish(stage.words))
        rows, columns = (
            tuple((2 * i, 2 * i + 1) for i in range(size)) for size in (target.height, target.width)
        )
        pool = Pool(wide, target, "max", rows, columns, Finish(stage.words))
        last = Part(pool, {"source": between.root, "target": stage.output.root}, memory={"source": wide.size})
        apart = [_before(form, last, wide.size) for form in self.first.forms({**layouts, between.root: wide})]
        return [*together, *apart] if pays else [*apart, *together]


def _convolution(stage: Stage) -> Stage:
    """The convolution alone, and the words before the pooling."""
    if not isinstance(stage.op, Pooled):
        raise TypeError(type(stage.op).__name__)
    first = stage.op.first
    (_, *sides) = output_shapes(first, [("N", *stage.inputs[0].shape)]).shape
    shape = tuple(map(int, sides))
    output = Value(f"{stage.output.root} before pooling", shape, natural_dims(shape))
    return Stage(first, stage.inputs, output, stage.tensors, stage.op.words, covers=stage.covers)


def _before(form: Form, last: Part, size: int) -> Form:
    """What the form computes goes into memory that ``last`` reads."""
    *parts, result = form.parts
    result = replace(result, memory={**result.memory, "target": size})
    return Form((*parts, result, last), (*form.packs, dict))
