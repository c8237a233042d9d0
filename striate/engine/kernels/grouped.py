"""Convolution in small groups, depthwise above all: every output lane reads its own few channels.

With groups narrower than a vector, one vector of outputs belongs to several groups, and spreading one input
value over all lanes would be wrong. Instead the input vector is permuted, so that each lane finds the j-th
channel of its own group; in a depthwise convolution it is already there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from striate.engine.emit import Emitter, Vector
from striate.engine.index import Memory, Number
from striate.engine.kernels.direct import Window
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.packing import filled_up
from striate.engine.layout import Layout

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Grouped(Kernel):
    """``lanes_of``: for the j-th channel of a group, the input lane each output lane reads.

    Output block b reads input block b only; ``tile``: columns of outputs held in registers. ``sums``: where
    the sum of each row of outputs goes, if anybody wants it.
    """

    family: ClassVar[str] = "grouped"
    source: Layout
    target: Layout
    window: Window
    tile: int
    lanes_of: tuple[tuple[int, ...], ...]
    finish: Finish
    sums: Layout | None = None

    @property
    def operands(self) -> tuple[Operand, ...]:
        (kh, kw), lanes = self.window.kernel, self.target.lanes
        return (
            Operand("source", self.source.size),
            Operand("weights", self.target.blocks * kh * kw * len(self.lanes_of) * lanes, shared=True),
            Operand("bias", self.target.blocks * lanes, shared=True),
            Operand("target", self.target.size),
            *self.finish.operands,
            *sums_operands(self.sums),
        )

    @property
    def units(self) -> int:
        return self.target.blocks * self.target.height

    @property
    def multiply_adds(self) -> int:
        kh, kw = self.window.kernel
        return self.target.pixels * self.target.blocks * self.target.lanes * kh * kw * len(self.lanes_of)

    def describe(self) -> str:
        words = self.finish.describe() + (" + sums of rows" if self.sums else "")
        return f"1x{self.tile} pixels, {len(self.lanes_of)} channels a group{words}"

    def pack(self, weight: Array, bias: Array | None) -> dict[str, Array]:
        """Weights (K, C / groups, kh, kw) as [block][tap][channel of the group][lane]."""
        outputs, seen, kh, kw = weight.shape
        full = np.zeros((self.target.blocks * self.target.lanes, seen, kh * kw), np.float32)
        full[:outputs] = weight.reshape(outputs, seen, kh * kw)
        blocked = full.reshape(self.target.blocks, self.target.lanes, seen, kh * kw)
        shift = filled_up(bias, self.target.blocks * self.target.lanes)
        return {"weights": np.ascontiguousarray(blocked.transpose(0, 3, 2, 1)).ravel(), "bias": shift}

    def body(self, work: Work) -> None:
        """One row of one block of channels."""
        to, target, source, added = work.to, self.target, self.source, self.finish.added
        block, y = to.divide(work.unit, target.height)
        summed = self.sums is not None
        row = Row(self.window, self.tile, self.lanes_of, source.row, target.width, self.finish, summed)
        code = row.code(to, f"{self.symbol}_row")
        top, left = self.window.before
        start = source.start - top * source.row - left * to.lanes
        base = to.plus(start, to.times(block, source.block), to.times(y, self.window.stride[0] * source.row))
        arguments = [
            (work.buffer("source"), base),
            (work.buffer("weights"), to.times(block, row.taps * to.lanes)),
            (work.buffer("bias"), to.times(block, to.lanes)),
        ]
        for name, layout in (("target", target), ("added", added), ("sums", self.sums)):
            if layout:
                arguments.append((work.buffer(name), row_at(to, layout, block, y)))
        to.run(code, *arguments)


@dataclass(frozen=True)
class Row:
    """Writes the code of a row of ``width`` outputs, ``tile`` at a time. ``step``: to the next row below.

    ``summed``: their sum is stored too.
    """

    window: Window
    tile: int
    lanes_of: tuple[tuple[int, ...], ...]
    step: int
    width: int
    finish: Finish
    summed: bool = False

    @property
    def taps(self) -> int:
        """Vectors of weights of a block."""
        kh, kw = self.window.kernel
        return kh * kw * len(self.lanes_of)

    def code(self, work: Emitter, name: str) -> Emitter:
        """A function (source, weights, bias, target[, added][, sums])."""
        count = 4 + bool(self.finish.added) + self.summed
        to = Emitter(work.mod, name, work.target, count, inner=True)
        image, weights, bias, target, *more = to.memories
        lanes, total = to.lanes, to.variable(to.constant(0)) if self.summed else None
        few = self.taps + self.tile + 2 <= to.target.registers
        kept = [to.get(weights, i * lanes) for i in range(self.taps if few else 0)]
        shift = to.get(bias, 0)

        def weight(tap: int) -> Vector:
            return kept[tap] if few else to.get(weights, tap * lanes)

        def some(x: Number, again: int) -> None:
            """A tile at ``x``, the first ``again`` of whose outputs the one before has stored and summed."""
            sums = [shift] * self.tile
            self._sum(to, image, to.times(x, self.window.stride[1] * lanes), weight, sums)
            for p, value in enumerate(sums):
                at = to.times(to.plus(x, p), lanes)
                other = to.get(more[0], at) if self.finish.added else None
                result = self.finish.apply(to, value, other)
                to.put(result, target, at)
                if total is not None and p >= again:
                    to.store(to.fadd(to.read(total), result), total)

        turns = -(-self.width // self.tile)
        again = turns * self.tile - self.width
        apart = total is not None and again > 0
        with to.loop(turns - apart) as turn:
            some(to.least(to.times(turn, self.tile), self.width - self.tile), 0)
        if apart:
            some(self.width - self.tile, again)
        if total is not None:
            to.put(to.read(total), more[-1], 0)
        to.ret_void()
        return to

    def _sum(
        self, to: Emitter, image: Memory, at: Number, weight: Callable[[int], Vector], sums: list[Vector]
    ) -> None:
        """Each input pixel is loaded once and used by all the outputs of the tile that see it."""
        (kh, kw), (_, sx), (dy, dx) = self.window.kernel, self.window.stride, self.window.dilation
        lanes, seen = to.lanes, len(self.lanes_of)
        for i in range(kh):
            users: dict[int, list[tuple[int, int]]] = {}
            for p in range(self.tile):
                for j in range(kw):
                    users.setdefault(p * sx + j * dx, []).append((p, j))
            for column, pairs in sorted(users.items()):
                pixel = to.get(image, to.plus(at, i * dy * self.step + column * lanes))
                for c, order in enumerate(self.lanes_of):
                    straight = order == tuple(range(lanes))
                    value = pixel if straight else to.pick(pixel, pixel, order)
                    for p, j in pairs:
                        sums[p] = to.multiply_add(value, weight((i * kw + j) * seen + c), sums[p])


def row_at(to: Emitter, layout: Layout, block: Number, y: Number) -> Number:
    """Where row ``y`` of a block of channels begins."""
    return to.plus(layout.start, to.times(block, layout.block), to.times(y, layout.row))


def sums_operands(sums: Layout | None) -> tuple[Operand, ...]:
    return (Operand("sums", sums.size),) if sums else ()


def columns(width: int, registers: int) -> int:
    """Outputs of a tile: as even as the width allows, beside the weights in registers."""
    most = max(1, min(width, 14, registers // 2 - 1))
    return -(-width // -(-width // most))


def lanes_of(outputs: int, inputs: int, groups: int, lanes: int) -> tuple[tuple[int, ...], ...] | None:
    """The permutations, if all blocks share them and each reads the input block of its own number."""
    each, seen = outputs // groups, inputs // groups
    if groups == 1 or each != seen or lanes % each:
        return None
    return tuple(tuple(lane // each * seen + j for lane in range(lanes)) for j in range(seen))
