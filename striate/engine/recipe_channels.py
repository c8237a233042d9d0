"""Norms and shares over the channels of each pixel, or of the whole map."""

from __future__ import annotations

import numpy as np

from striate import ops
from striate.engine.choose import Layouts, Part, Recipe, recipe
from striate.engine.kernels.channels import WORDS, Channels
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.response import Lengths, Response
from striate.engine.layout import Layout
from striate.engine.stage import Stage

MOST_CHANNELS = 512  # local response norm: code is written for each vector of them


def over_channels(stage: Stage) -> bool:
    """Whether the word's axis is that of the channels, and nothing is added afterwards."""
    first = stage.inputs[0]
    rank = len(first.shape) + 1
    return first.natural and rank <= 4 and getattr(stage.op, "dim", 1) % rank == 1 and stage.added is None


def padded(stage: Stage, target: Layout) -> dict[str, np.ndarray]:
    """The stage's tensors, one value for all channels or one each, filled up with zeros to whole vectors."""
    found = {}
    for role, tensor in stage.tensors.items():
        found[role] = np.zeros(target.blocks * target.lanes, np.float32)
        found[role][: target.channels] = tensor
    return found


@recipe(*WORDS)
class OverChannels(Recipe):
    @classmethod
    def takes(cls, stage: Stage) -> bool:
        op = stage.op
        if isinstance(op, ops.LocalResponseNorm) and (op.size > 7 or stage.inputs[0].dims[0] > MOST_CHANNELS):
            return False
        return over_channels(stage)

    def build(self, layouts: Layouts) -> list[Part]:
        stage = self.stage
        source, target = layouts[stage.inputs[0].root], layouts[stage.output.root]
        kernel = Channels(stage.op, source, target, Finish(stage.words))
        values = {"source": stage.inputs[0].root, "target": stage.output.root}
        return [Part(kernel, values, padded(stage, target))]


@recipe(ops.GlobalResponseNorm)
class GlobalResponse(Recipe):
    @classmethod
    def takes(cls, stage: Stage) -> bool:
        return over_channels(stage)

    def build(self, layouts: Layouts) -> list[Part]:
        stage = self.stage
        if not isinstance(stage.op, ops.GlobalResponseNorm):
            raise TypeError(type(stage.op).__name__)
        source, target = layouts[stage.inputs[0].root], layouts[stage.output.root]
        memory = {"lengths": source.blocks * source.lanes}
        second = Response(source, target, stage.op.eps, Finish(stage.words))
        values = {"source": stage.inputs[0].root, "target": stage.output.root}
        return [
            Part(Lengths(source), {"source": stage.inputs[0].root}, memory=memory),
            Part(second, values, padded(stage, target), memory),
        ]
