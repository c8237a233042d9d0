"""Dense layers: every output sees the whole map. What counts is that weights pass by once.

A unit is a group of outputs for all images of a batch. Its weights are cut into parts that stay in the cache
while all images meet them; sums wait in the target between parts, and the last part finishes them. One image
alone is limited by how fast memory delivers weights, many by multiply-adds, a few images sharing each load.
Weights lie in the order in which they are read: to ask for them early only hinders the processor, which does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, ClassVar

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from striate.engine.emit import I64, Emitter
from striate.engine.index import Memory, Number
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.panels import Panels, add_row
from striate.engine.kernels.storage import FP32, Storage
from striate.engine.layout import Layout
from striate.engine.target import Target

PART = 2**17  # bytes of weights that stay in the second-level cache
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Dense(Kernel):
    """``panels``: its channels are all values of the map as it is stored; its tile is (images, vectors).

    ``part``: blocks of input channels at a time. ``stored``: how its weights are.
    """

    family: ClassVar[str] = "dense"
    source: Layout
    target: Layout
    panels: Panels
    part: int
    finish: Finish
    stored: Storage = FP32

    @property
    def operands(self) -> tuple[Operand, ...]:
        return (
            Operand("source", self.source.size),
            Operand("weights", self.panels.weights // self.stored.inputs, shared=True),
            Operand("bias", self.panels.blocks * self.panels.lanes, shared=True),
            Operand("target", self.target.size),
        )

    @property
    def whole_batch(self) -> bool:
        return True

    @property
    def units(self) -> int:
        return self.panels.groups

    @property
    def multiply_adds(self) -> int:
        return self.panels.weights

    @property
    def storage(self) -> str:
        return self.stored.name

    def describe(self) -> str:
        images, q = self.panels.tile
        return f"up to {images} images, {q * self.panels.lanes} outputs{self.finish.describe()}"

    def pack(self, weight: Array, bias: Array | None) -> dict[str, Array]:
        """Weights (outputs, C, H, W), their inputs in the order in which the map lies in memory."""
        source, outputs = self.source, len(weight)
        full = np.zeros((outputs, source.blocks * source.lanes, source.pixels), np.float32)
        full[:, : source.channels] = weight.reshape(outputs, source.channels, source.pixels)
        blocked = full.reshape(outputs, source.blocks, source.lanes, source.pixels)
        return self.panels.pack(blocked.transpose(0, 1, 3, 2).reshape(outputs, -1), bias, self.stored)

    # --- code -------------------------------------------------------------------------------------------

    def body(self, work: Work) -> None:
        self.panels.in_group(work.to, work.unit, partial(self._group, work))

    def _group(self, work: Work, group: Number, vectors: int) -> None:
        """All parts; in each, tiles of images and then what is left, one by one."""
        to, together, source = work.to, self.panels.tile[0], self.source
        each = ir.Constant(I64, together)
        tiles = to.udiv(work.images, each)
        first_left = to.mul(tiles, each)
        none = ir.Constant(I64, 0)
        codes: dict[tuple[int, bool, bool, int], Emitter] = {}
        for first in range(0, source.blocks, self.part):
            count = min(self.part, source.blocks - first)
            ends = first == 0, first + count == source.blocks
            for images, low, high, step in ((together, none, first_left, together), (1, first_left, None, 1)):
                stop = work.images if high is None else high
                key = (count, *ends, images)
                if key not in codes:
                    codes[key] = self._code(to, f"{self.symbol}_{vectors}_{len(codes)}", vectors, *key)
                with to.if_then(to.icmp_signed("<", low, stop)), to._loop(low, stop, step) as image:
                    self._call(work, codes[key], image, images, group, first, vectors)
                if together == 1:
                    break

    def _call(
        self, work: Work, code: Emitter, image: Any, images: int, group: Number, first: int, vectors: int
    ) -> None:
        to, panels, source, target = work.to, self.panels, self.source, self.target
        sources, targets = [], []
        block = to.times(group, panels.tile[1])
        for i in range(images):
            work.image = to.add(image, ir.Constant(I64, i))
            at = to.plus(target.start, to.times(block, target.block))
            sources.append((work.buffer("source"), source.start + first * source.block))
            targets.append((work.buffer("target"), at))
        row = first * source.pixels * source.lanes // self.stored.inputs
        weights = to.plus(to.times(group, panels.group // self.stored.inputs), row * vectors * to.lanes)
        bias = to.times(block, to.lanes)
        to.run(code, *sources, (work.buffer("weights"), weights), (work.buffer("bias"), bias), *targets)

    def _code(
        self, work: Emitter, name: str, vectors: int, count: int, starts: bool, ends: bool, images: int
    ) -> Emitter:
        """A function (sources, weights, bias, targets) for one part of ``count`` blocks.

        One image alone has a sum for each input of a word: a sum is ready for its next one after some cycles.
        """
        to = Emitter(work.mod, name, work.target, 2 * images + 2, inner=True)
        lanes, source, step = to.lanes, self.source, self.target.block
        sources, targets = to.memories[:images], to.memories[images + 2 :]
        weights, bias = to.memories[images : images + 2]

        def before(q: int, target: Memory) -> Any:
            return to.get(bias, q * lanes) if starts else to.get(target, q * step)

        sums = [[to.variable(before(q, target)) for q in range(vectors)] for target in targets]
        width, shared = vectors * lanes, self.stored.inputs
        turns = [sums]
        if images == 1:
            turns += [[[to.variable(to.constant(0)) for _ in sums[0]]] for _ in range(1, shared)]
        row = self.source.pixels * lanes
        with to.loop(count) as block, to.loop(source.height) as y, to.loop(source.width) as x:
            at = to.plus(to.times(block, source.block), to.times(y, source.row), to.times(x, source.lanes))
            pixel = to.times(to.plus(to.times(y, source.width), x), lanes)
            first = to.plus(to.times(block, row), pixel)
            for lane in range(0, lanes, shared):
                row_at = to.plus(to.times(first, width // shared), lane // shared * width)
                for here, weight in enumerate(self.stored.rows(to, weights, row_at, vectors), start=lane):
                    images_here = [(memory, to.plus(at, here)) for memory in sources]
                    add_row(to, images_here, weight, turns[here % len(turns)])
        for i, target in enumerate(targets):
            for q in range(vectors):
                value = reduce(to.fadd, [to.read(turn[i][q]) for turn in turns])
                to.put(self.finish.apply(to, value) if ends else value, target, q * step)
        to.ret_void()
        return to


def dense(source: Layout, target: Layout, finish: Finish, machine: Target, stored: Storage = FP32) -> Dense:
    """The kernel for this map: four images share a load of weights, if registers allow."""
    vectors = max(1, min(target.blocks, (machine.registers - 1) // 5))
    inputs = source.blocks * source.pixels * source.lanes
    panels = Panels(inputs, target.blocks, target.lanes, (4, vectors))
    part = max(1, stored.inputs * PART // (4 * source.pixels * source.lanes * vectors * target.lanes))
    return Dense(source, target, panels, part, finish, stored)
