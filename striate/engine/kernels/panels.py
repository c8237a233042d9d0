"""The product at the heart of 1x1 convolutions and dense layers: P pixels times Q vectors of output channels.

The weights (outputs, inputs) are cut into groups of Q vectors of outputs, the last group smaller if need be;
a group's weights lie in the order in which they are read. P * Q sums stay in registers for all input
channels: P + Q loads feed P * Q multiply-adds. Pixels are numbered through rows, so that odd widths cost
nothing; only where a map with a frame is read or written does a number have to be divided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from striate.engine.emit import I64, Emitter, Vector
from striate.engine.index import Index, Memory, Number
from striate.engine.kernels.core import core
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.multiply import LINE, Add, Asking, fits_registers
from striate.engine.kernels.packing import filled_up
from striate.engine.kernels.storage import FP32, Storage
from striate.engine.layout import Layout
from striate.engine.target import Target

PANEL = 2**14  # bytes of weights that stay in the first-level cache from tile to tile
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Panels:
    """``channels``: of the input. ``blocks``: vectors of outputs. ``tile``: (P, Q)."""

    channels: int
    blocks: int
    lanes: int
    tile: tuple[int, int]

    @property
    def groups(self) -> int:
        return -(-self.blocks // self.tile[1])

    @property
    def rest(self) -> int:
        """Vectors of the last group, if it is smaller than the others; else 0."""
        return self.blocks % self.tile[1]

    @property
    def deep(self) -> int:
        """Input channels with those that fill up the last vector."""
        return -(-self.channels // self.lanes) * self.lanes

    @property
    def group(self) -> int:
        """Weights of one full group."""
        return self.deep * self.tile[1] * self.lanes

    @property
    def weights(self) -> int:
        return self.deep * self.blocks * self.lanes

    def in_group(self, to: Emitter, group: Number, write: Callable[[Number, int], None]) -> None:
        """``write(group, vectors)`` for a group known when it runs: the last one may be narrower."""
        whole = self.blocks // self.tile[1]
        if whole and self.rest:
            with to.if_else(to.icmp_signed("<", to.raw(group), to.raw(whole))) as (then, otherwise):
                with then:
                    write(to.least(group, whole - 1), self.tile[1])
                with otherwise:
                    write(whole, self.rest)
        else:
            write(group, self.tile[1] if whole else self.rest)

    def pack(self, weight: Array, bias: Array | None, storage: Storage = FP32) -> dict[str, Array]:
        """Weights (outputs, inputs) as [group][input][output]; the bias, filled up with zeros."""
        outputs, q = len(weight), self.tile[1] * self.lanes
        full = np.zeros((self.deep, self.blocks * self.lanes), np.float32)
        full[: self.channels, :outputs] = weight.T
        full = storage.words(full)
        parts = [full[:, first : first + q].ravel() for first in range(0, full.shape[1], q)]
        return {"weights": np.concatenate(parts), "bias": filled_up(bias, self.blocks * self.lanes)}


def offsets(
    to: Emitter, layout: Layout, first: Number, count: int, width: int, stride: tuple[int, int] = (1, 1)
) -> list[Number]:
    """From a map's first pixel to those that belong to pixels ``first``, ``first`` + 1 ... of one of that
    ``width``; ``stride``: rows and columns from each to the next."""
    down, across = stride[0] * layout.row, stride[1] * layout.lanes
    if isinstance(first, int) or count > width or down < width * across:
        parts = [to.divide(to.plus(first, i), width) for i in range(count)]
        return [to.plus(to.times(y, down), to.times(x, across)) for y, x in parts]
    return [*_following(to, first, count, width, down, across)]


def _following(to: Emitter, first: Index, count: int, width: int, down: int, across: int) -> Iterator[Number]:
    """The same by one division: those that follow are in the first one's row, or in the next."""
    y, x = to.divide(first, width)
    start = to.plus(to.times(y, down), to.times(x, across))
    yield start
    for i in range(1, count):
        below = to.icmp_signed(">=", to.raw(x), ir.Constant(I64, width - i))
        steps = (ir.Constant(I64, i * across + more) for more in (down - width * across, 0))
        value = to.add(to.raw(start), to.select(below, *steps), flags=["nsw"])
        rows = (divmod(end + i, width) for end in (first.low, first.high))
        yield Index(value, *(row * down + column * across for row, column in rows))


@dataclass(frozen=True)
class Place:
    """Where a tile's pixels lie in a map: one after the other, or (``framed``) in rows with gaps between."""

    layout: Layout

    @property
    def framed(self) -> bool:
        return self.layout.row != self.layout.width * self.layout.lanes

    def offsets(self, to: Emitter, first: Number, count: int) -> list[Number]:
        """From the map's first pixel to pixels ``first``, ``first`` + 1 ...; unframed: from ``first`` on."""
        layout = self.layout
        if not self.framed:
            return [i * layout.lanes for i in range(count)]
        return offsets(to, layout, first, count, layout.width)

    def start(self, to: Emitter, block: Number, pixel: Number) -> Number:
        """Where a tile's memory begins."""
        at = to.plus(self.layout.start, to.times(block, self.layout.block))
        return at if self.framed else to.plus(at, to.times(pixel, self.layout.lanes))


@dataclass(frozen=True)
class Product:
    """Writes the code of one tile. Pixels of source and target are numbered from their own first one.

    ``turns``: tiles that share a group's weights before the next group begins; 0: all weights are near.
    ``stored``: how weights are; of dots, the map is in words, too.
    """

    panels: Panels
    source: Layout
    target: Layout
    finish: Finish
    turns: int = 0
    stored: Storage = FP32

    @property
    def _group(self) -> int:
        """Weights of one full group, or words of them."""
        return self.panels.group // self.stored.inputs

    def code(self, to: Emitter, name: str, vectors: int) -> Emitter:
        """A function (source, weights, bias, target[, added]; first pixel there, here, turn)."""
        added, source, pixels = self.finish.added, self.source, self.panels.tile[0]
        inner = Emitter(to.mod, name, to.target, 5 if added else 4, 3, inner=True)
        image, weights, bias, result, *more = inner.memories
        first = inner.parameter(0, 0, source.pixels - pixels)
        here = inner.parameter(1, 0, self.target.pixels - pixels)
        turn = inner.parameter(2, 0, max(0, self.turns - 1))
        asking = Asking(self._group, self.turns, turn) if self.turns else None
        sums = [
            [inner.variable(inner.get(bias, q * inner.lanes)) for q in range(vectors)] for _ in range(pixels)
        ]
        seen = Place(source).offsets(inner, first, pixels)
        deep = self.stored.deep(self.panels.channels)
        multiply(inner, image, weights, deep, source.block, seen, sums, asking, self.stored.add)
        there = Place(self.target).offsets(inner, here, pixels)
        beside = Place(added).offsets(inner, here, pixels) if added else there
        for p, row in enumerate(sums):
            for q, variable in enumerate(row):
                other = inner.get(more[0], inner.plus(beside[p], q * added.block)) if added else None
                value = self.finish.apply(inner, inner.read(variable), other)
                inner.put(value, result, inner.plus(there[p], q * self.target.block))
        inner.ret_void()
        return inner

    def call(
        self,
        to: Emitter,
        inner: Emitter,
        buffers: Callable[[str], Memory],
        group: Number,
        pixel: Number,
        turn: Number,
        here: tuple[Number, Number] | None = None,
    ) -> None:
        """The tile of one group at ``pixel``; ``here``: the target's (first block, pixel), if others."""
        own = to.times(group, self.panels.tile[1])
        block, place = here or (own, pixel)
        arguments = [
            (buffers("source"), Place(self.source).start(to, 0, pixel)),
            (buffers("weights"), to.times(group, self._group)),
            (buffers("bias"), to.times(own, to.lanes)),
            (buffers("target"), Place(self.target).start(to, block, place)),
        ]
        if self.finish.added:
            arguments.append((buffers("added"), Place(self.finish.added).start(to, block, place)))
        to.run(inner, *arguments, numbers=[pixel, place, turn if self.turns else 0])


def multiply(
    to: Emitter,
    image: Memory,
    weights: Memory,
    deep: int,
    step: int,
    pixels: list[Number],
    sums: list[list[object]],
    asking: Asking | None = None,
    add: Add = Emitter.multiply_add,
) -> None:
    """sums[p][q] += sum over ``deep`` input channels of image[pixel p] * weights[channel][vector q].

    ``step``: from one block of input channels to the next. ``asking``: None: weights are near. ``add``: of
    words, what multiplies both of their halves.
    """
    lanes = to.lanes

    def channels(block: Number, row: Number, count: int) -> None:
        if asking:
            asking.write(to, weights, row, len(sums[0]) * lanes, count)
        for channel in range(count):
            seen = [(image, to.plus(block, pixel, channel)) for pixel in pixels]
            one_row(to, seen, weights, to.plus(row, channel), sums, add)

    full, rest = divmod(deep, lanes)
    following = len(pixels) * lanes
    if full:
        with to.loop(full) as i:
            for line in range(0, following, max(LINE, lanes)) if isinstance(pixels[0], int) else ():
                to.prefetch(image, to.plus(to.times(i, step), following + line), near=3)
            channels(to.times(i, step), to.times(i, lanes), lanes)
    if rest:
        channels(full * step, full * lanes, rest)


def one_row(
    to: Emitter,
    seen: list[tuple[Memory, Number]],
    weights: Memory,
    row: Number,
    sums: list[list[object]],
    add: Add = Emitter.multiply_add,
) -> None:
    """sums[p][q] += value p * vector q of a row of weights, for the values at the places ``seen``."""
    vectors = len(sums[0])
    for weight in FP32.rows(to, weights, to.times(row, vectors * to.lanes), vectors):
        add_row(to, seen, weight, sums, add)


def add_row(
    to: Emitter,
    seen: list[tuple[Memory, Number]],
    weight: list[Vector],
    sums: list[list[object]],
    add: Add = Emitter.multiply_add,
) -> None:
    """The same for weights that have been read."""
    for (memory, place), row_of_sums in zip(seen, sums, strict=True):
        value = to.spread(memory, place)
        for q, variable in enumerate(row_of_sums):
            to.store(add(to, value, weight[q], to.read(variable)), variable)


def product_tile(pixels: int, blocks: int, channels: int, machine: Target) -> tuple[int, int]:
    """(P, Q) with the least estimated time."""
    return product_tiles(pixels, blocks, channels, machine)[0][1]


def product_tiles(
    pixels: int, blocks: int, channels: int, machine: Target
) -> list[tuple[float, tuple[int, int]]]:
    """For every Q the best (P, Q) behind its estimated time, the least first.

    In cycles of a core with two multiply-adds and loads a cycle.
    """
    found: dict[int, tuple[float, tuple[int, int]]] = {}
    for vectors in range(1, min(blocks, 6) + 1):
        for count in range(1, min(pixels, machine.registers) + 1):
            if not fits_registers(count, vectors, machine.registers):
                break
            cycles = product_cycles(pixels, blocks, channels, (count, vectors), machine)
            if vectors not in found or cycles < found[vectors][0]:
                found[vectors] = cycles, (count, vectors)
    return sorted(found.values(), key=lambda one: one[0])


def product_cycles(pixels: int, blocks: int, channels: int, tile: tuple[int, int], machine: Target) -> float:
    """Estimated, for all pixels and all blocks of outputs."""
    (count, vectors), cycles, of = tile, 0.0, core(machine)
    for q, groups in ((vectors, blocks // vectors), (blocks % vectors, 1)):
        if q:
            turn = max(count * q / 2, (count + q) / 2 + 0.25, 0.8 * of.latency)
            if 4 * channels * q * machine.lanes > PANEL:
                turn = max(turn, 4 * q * machine.lanes / of.panel)
            cycles += groups * (channels * turn + 2 * count * q + of.tile * 2 / 3)
    return cycles * -(-pixels // count)
