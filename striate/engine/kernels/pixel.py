"""One pixel of one block of channels: where it lies, and how its value is finished and stored there."""

from __future__ import annotations

from striate.engine.emit import Emitter, Vector
from striate.engine.index import Number
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Work
from striate.engine.layout import Layout


def pixel_at(to: Emitter, layout: Layout, block: Number, y: Number, x: Number) -> Number:
    """Its offset; a map of one pixel stands for every pixel."""
    pixel: Number = 0
    if layout.pixels > 1:
        pixel = to.plus(to.times(y, layout.row), to.times(x, layout.lanes))
    return to.plus(layout.start, to.times(block, layout.block), pixel)


def store(
    work: Work, finish: Finish, value: Vector, target: Layout, block: Number, y: Number, x: Number
) -> None:
    """Into operand ``target``, after what ``finish`` adds from operand ``added`` and applies."""
    to, added = work.to, finish.added
    other = to.get(work.buffer("added"), pixel_at(to, added, block, y, x)) if added else None
    to.put(finish.apply(to, value, other), work.buffer("target"), pixel_at(to, target, block, y, x))
