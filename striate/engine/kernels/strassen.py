"""1x1 convolution with seven eighths of the multiply-adds: Strassen's product, in Winograd's form of 15 sums.

Pixels, input channels and output channels are halved: A11 is the first half of the inputs at the first half
of the pixels, B12 what leads from the first half of the inputs to the second half of the outputs. Seven
products of halves and their sums give the four quarters of the result (Strassen 1969, doi:10.1007/BF02165411;
Higham, "Accuracy and Stability of Numerical Algorithms", 23.1). Sums of weights are made once, those of the
map where a unit copies its pixels, as ``packed`` does too. Sums of products cost nothing: a product begins
with what an earlier one left, and weights of half the inputs stay in the first-level cache.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from striate.engine.emit import Emitter
from striate.engine.index import Memory, Number
from striate.engine.kernels.core import core
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.gate import gate_of, gate_operands, gated
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.multiply import LINE, Asking, Reduction, multiply
from striate.engine.kernels.packing import filled_up, in_groups
from striate.engine.kernels.panels import Place, offsets
from striate.engine.kernels.tile import tiles_in_registers, turn
from striate.engine.layout import Layout
from striate.engine.target import Target

Array = NDArray[np.float32]
ROOM = 3 / 4  # of the second cache, for copied pixels
FEWEST = 32  # pixels and channels, in and out: with fewer, nothing is left of what seven products save
COPY, END = 20.0, 30.0  # measured: cycles to copy four vectors and their sums; to begin and end a tile

# Of each product: the sums that it begins with, and where its own go. X, Y, Z wait; a number is a quarter.
# 1 is A11 B11, 2 A12 B21, 3 S2 T2, 4 S3 T3, 5 S1 T1, 6 A22 T4, 7 S4 B22; 5 is added to Z and, with Y, is C22.
STEPS, WAITING = (("", "X"), ("X", "11"), ("X", "Z"), ("Z", "Y"), ("", "22"), ("Y", "21"), ("Z", "12")), "XYZ"


@dataclass(frozen=True)
class Strassen(Kernel):
    """``tile``: (P, Q), P pixels by Q vectors of output channels of one quarter, a group of them.

    ``strips``: how many parts the map's pixels are cut into, each with two halves. ``cut``: groups of a unit.
    ``far``: weights come from the third cache or memory. ``gate``: see ``packed``.
    """

    family: ClassVar[str] = "strassen"
    source: Layout
    target: Layout
    stride: tuple[int, int]
    tile: tuple[int, int]
    strips: int
    cut: int
    far: bool
    finish: Finish
    gate: Layout | None = None

    @property
    def half(self) -> int:
        """Pixels of half a strip. The halves of a strip may share some; two strips share none."""
        return (-(-self.target.pixels // self.strips) + 1) // 2

    @property
    def deep(self) -> int:
        """Blocks of half of the inputs."""
        return self.source.blocks // 2

    @property
    def wide(self) -> int:
        """Blocks of half of the outputs."""
        return self.target.blocks // 2

    @property
    def tiles(self) -> int:
        return -(-self.half // self.tile[0])

    @property
    def groups(self) -> int:
        return -(-self.wide // self.tile[1])

    @property
    def parts(self) -> int:
        return -(-self.groups // self.cut)

    @property
    def units(self) -> int:
        return self.strips * self.parts

    @property
    def panel(self) -> int:
        """Weights of one product of one group."""
        return self.deep * self.source.lanes * self.tile[1] * self.target.lanes

    @property
    def operands(self) -> tuple[Operand, ...]:
        return (
            Operand("source", self.source.size),
            Operand("weights", self.groups * len(STEPS) * self.panel, shared=True),
            Operand("bias", self.target.blocks * self.target.lanes, shared=True),
            Operand("target", self.target.size),
            *self.finish.operands,
            *gate_operands(self.gate),
        )

    @property
    def copied(self) -> int:
        """Values of one of the seven sums of the map."""
        return self.tiles * self.deep * self.tile[0] * self.source.lanes

    @property
    def sums(self) -> int:
        """Values of one tile's sums."""
        return self.tile[0] * self.tile[1] * self.target.lanes

    @property
    def scratch(self) -> int:
        return len(STEPS) * self.copied + len(WAITING) * self.tiles * self.sums

    @property
    def multiply_adds(self) -> int:
        return self.strips * self.groups * len(STEPS) * self.tiles * self.tile[0] * self.panel

    def describe(self) -> str:
        p, q = self.tile
        words = gated(self.gate) + self.finish.describe()
        return f"{p} pixels, {q * self.target.lanes} channels, {self.strips} strips{words}"

    def pack(self, weight: Array, bias: Array | None) -> dict[str, Array]:
        """Weights (outputs, inputs) as [group][product][input][output]; the last group ends with the half."""
        lanes, q = self.target.lanes, self.tile[1]
        outputs, inputs = weight.shape
        flat = np.zeros((2 * self.deep * lanes, 2 * self.wide * lanes))
        flat[:inputs, :outputs] = weight.T
        full = flat.reshape(2, self.deep * lanes, 2, self.wide * lanes)
        b11, b12, b21, b22 = (full[i, :, j] for i in (0, 1) for j in (0, 1))
        t1 = b12 - b11
        t2 = b22 - t1
        each = np.stack([b11, b21, t2, b22 - b12, t1, b21 - t2, b22]).astype(np.float32)
        shift = filled_up(bias, self.target.blocks * lanes)
        return {"weights": in_groups(each, q * lanes).ravel(), "bias": shift}

    # --- code -------------------------------------------------------------------------------------------

    def body(self, work: Work) -> None:
        to = work.to
        strip, part = to.divide(work.unit, self.parts)
        ends = [(i + 1) * self.target.pixels // self.strips for i in range(self.strips)]
        first = to.entry_of([0, *ends[:-1]], strip)
        second = to.entry_of([end - self.half for end in ends], strip)
        self._copy(work, first, second)
        codes: dict[str, Emitter] = {}
        with to.loop(self.cut) as own:
            group = to.plus(to.times(part, self.cut), own)
            for number, (begin, end) in enumerate(STEPS):
                kind = f"{bool(begin):d}{'wait' if end in WAITING else 'both' if end == '22' else 'end'}"
                if kind not in codes:
                    codes[kind] = self._code(work, kind, bool(begin), end)
                with to.loop(self.tiles) as turn:
                    here = second if end[0] == "2" else first
                    self._call(work, codes[kind], number, group, turn, here)

    def _copy(self, work: Work, first: Number, second: Number) -> None:
        """Seven sums of the map, each as [tile][block][pixel][lane], in the order of ``STEPS``."""
        to, source, p = work.to, self.source, self.tile[0]
        image, away = work.buffer("source"), self.deep * self.source.block
        reach = p * self.stride[1] * source.lanes
        with to.loop(self.tiles) as turn:
            place = to.least(to.times(turn, p), self.half - p)
            upper, lower = (
                offsets(to, source, to.plus(half, place), p, self.target.width, self.stride)
                for half in (first, second)
            )
            with to.loop(self.deep) as b:
                start = to.plus(source.start, to.times(b, source.block))
                row = to.times(to.plus(to.times(turn, self.deep), b), p * to.lanes)
                factors = [gate_of(work, self.gate, to.plus(b, half)) for half in (0, self.deep)]
                for ahead in range(0, reach, LINE):  # the next tile's pixels: their blocks lie far apart
                    for pixels, further in product((upper, lower), (0, away)):
                        to.prefetch(image, to.plus(start, pixels[0], further + reach + ahead), near=3)
                for i, seen in enumerate(zip(upper, lower, strict=True)):
                    a11, a12, a21, a22 = (
                        value if factor is None else to.fmul(value, factor)
                        for pixel in seen
                        for further, factor in zip((0, away), factors, strict=True)
                        for value in (to.get(image, to.plus(start, pixel, further)),)
                    )
                    s1 = to.fadd(a21, a22)
                    s2 = to.fsub(s1, a11)
                    s3, s4 = to.fsub(a11, a21), to.fsub(a12, s2)
                    for number, value in enumerate((a11, a12, s2, s3, s1, a22, s4)):
                        to.put(value, work.scratch, to.plus(number * self.copied + i * to.lanes, row))

    def _call(
        self, work: Work, code: Emitter, number: int, group: Number, turn: Number, here: Number
    ) -> None:
        to, (p, q), (begin, end) = work.to, self.tile, STEPS[number]

        def waiting(name: str) -> tuple[Memory, Number]:
            first = len(STEPS) * self.copied + WAITING.index(name) * self.tiles * self.sums
            return work.scratch, to.plus(first, to.times(turn, self.sums))

        panel = to.plus(to.times(group, len(STEPS)), number)
        copied = to.plus(number * self.copied, to.times(turn, self.deep * p * to.lanes))
        arguments = [(work.scratch, copied), (work.buffer("weights"), to.times(panel, self.panel))]
        pixel = to.plus(here, to.least(to.times(turn, p), self.half - p))
        if begin:
            arguments.append(waiting(begin))
        if end in WAITING:
            arguments.append(waiting(end))
        else:
            block = to.least(to.times(group, q), self.wide - q)
            block = to.plus(block, self.wide) if end[1] == "2" else block
            arguments += [waiting("Y"), waiting("Z")] if end == "22" else []
            arguments.append((work.buffer("bias"), to.times(block, to.lanes)))
            for name, layout in (("target", self.target), ("added", self.finish.added)):
                if layout:
                    arguments.append((work.buffer(name), Place(layout).start(to, block, pixel)))
        to.run(code, *arguments, numbers=[pixel, turn])

    def _code(self, work: Work, kind: str, begins: bool, end: str) -> Emitter:
        """A function (copied, weights[, sums before], then sums after or [Y, Z,] bias, target[, added])."""
        added, (p, q), lanes, waits = self.finish.added, self.tile, work.to.lanes, end in WAITING
        count = 2 + begins + (1 if waits else 2 + 2 * (end == "22") + bool(added))
        to = Emitter(work.to.mod, f"{self.symbol}_{kind}", work.to.target, count, 2, inner=True)
        pixel = to.parameter(0, 0, self.target.pixels - p)
        turn = to.parameter(1, 0, self.tiles - 1)
        copied, weights, *rest = to.memories
        before = rest.pop(0) if begins else None
        places = [(i, j, (i * q + j) * lanes) for i in range(p) for j in range(q)]
        sums: list[list[object]] = [[] for _ in range(p)]
        for i, _, place in places:
            sums[i].append(to.variable(to.get(before, place) if before else to.constant(0)))
        asking = Asking(self.panel, self.tiles, turn) if self.far else None
        parts = [Reduction([(self.deep, p * lanes, lanes)], lanes)]
        multiply(to, parts, copied, weights, [0], [i * lanes for i in range(p)], sums, asking)
        if waits:
            for i, j, place in places:
                to.put(to.read(sums[i][j]), rest[0], place)
        else:
            self._end(to, sums, rest, pixel, end == "22")
        to.ret_void()
        return to

    def _end(
        self, to: Emitter, sums: list[list[object]], memories: list[Memory], pixel: Number, both: bool
    ) -> None:
        """Finished values of a quarter; ``both``: the fifth product, which Z waits for too."""
        y, z = memories[:2] if both else (None, None)
        bias, target, *more = memories[2:] if both else memories
        there, added = Place(self.target).offsets(to, pixel, self.tile[0]), self.finish.added
        beside = Place(added).offsets(to, pixel, self.tile[0]) if added else there
        for i, row in enumerate(sums):
            for j, variable in enumerate(row):
                value, place = to.read(variable), (i * len(row) + j) * to.lanes
                if y and z:
                    to.put(to.fadd(value, to.get(z, place)), z, place)
                    value = to.fadd(value, to.get(y, place))
                value = to.fadd(value, to.get(bias, j * to.lanes))
                other = to.get(more[0], to.plus(beside[i], j * added.block)) if added else None
                to.put(self.finish.apply(to, value, other), target, to.plus(there[i], j * self.target.block))


@lru_cache(maxsize=1024)
def strassen(
    source: Layout,
    target: Layout,
    stride: tuple[int, int],
    finish: Finish,
    machine: Target,
    threads: int,
    gate: Layout | None = None,
) -> Strassen | None:
    """The kernel for these maps that is estimated to be fastest; None where no halves are whole and large."""
    small = min(source.channels, target.channels, target.pixels) < FEWEST
    if source.lanes != target.lanes or target.lanes == 1 or small or source.blocks % 2 or target.blocks % 2:
        return None
    near = core(machine).second
    far = len(STEPS) * source.blocks * target.blocks * target.lanes**2 > near // 2  # quarters, in bytes
    copied = len(STEPS) * source.blocks * source.lanes * target.pixels  # likewise
    strips = max(1, min(-(-copied // int(ROOM * near)), target.pixels // (2 * machine.registers)))
    plain = Strassen(source, target, stride, (1, 1), strips, 1, far, finish, gate)
    tiles = tiles_in_registers(min(plain.half, machine.registers), min(plain.wide, 6), machine.registers)
    whole = [replace(plain, tile=tile, cut=-(-plain.wide // tile[1])) for tile in tiles]
    found = min(whole, key=lambda one: strassen_cycles(one, machine))
    cuts = [replace(found, cut=n) for n in range(found.groups, 0, -1) if found.groups % n == 0]
    return min(cuts, key=lambda one: strassen_cycles(one, machine) * -(-one.units // threads) / one.units)


def strassen_cycles(kernel: Strassen, machine: Target) -> float:
    """Estimated, of all units on one thread: products with their sums, and the copies."""
    p, q = kernel.tile
    one = kernel.deep * machine.lanes * turn(p, q, machine) + 3 * p * q + END
    products = len(STEPS) * kernel.strips * kernel.groups * kernel.tiles * one
    size, copies = 4 * kernel.operands[1].size, kernel.units * kernel.tiles * kernel.deep * p
    return max(products, size / core(machine).rate(size)) + copies * COPY
