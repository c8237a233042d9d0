"""Sums over the channels of each pixel: layer norm, softmax, local response norm.

A pixel's channels lie in vectors that are far from each other; vectors are summed first, lanes at the end.
Lanes beyond the last channel are left out of sums and stored as 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from striate import ops
from striate.engine.emit import Emitter, Vector
from striate.engine.index import Number
from striate.engine.kernels.activation import exponential, logarithm, power
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.layout import Layout

WORDS = (ops.LayerNorm, ops.Softmax, ops.LogSoftmax, ops.LocalResponseNorm)
Join = Callable[[Vector, Vector], Vector]


@dataclass(frozen=True)
class Channels(Kernel):
    """``op``, one of WORDS, over the channels. Unit: one row of pixels."""

    family: ClassVar[str] = "channels"
    op: ops.Op
    source: Layout
    target: Layout
    finish: Finish

    @property
    def operands(self) -> tuple[Operand, ...]:
        channels = self.target.blocks * self.target.lanes
        return (
            Operand("source", self.source.size),
            *(Operand(role, channels, shared=True) for role in self.op.roles),
            Operand("target", self.target.size),
        )

    @property
    def units(self) -> int:
        return self.target.height

    def describe(self) -> str:
        return f"{type(self.op).__name__.lower()} of {self.source.channels}{self.finish.describe()}"

    def body(self, work: Work) -> None:
        to = work.to
        with to.loop(self.target.width) as x:
            pixel = _Pixel(self, work, x)
            match self.op:
                case ops.LayerNorm():
                    _layer_norm(to, pixel, self.op)
                case ops.LocalResponseNorm():
                    _local_response(to, pixel, self.op)
                case _:
                    _softmax(to, pixel, isinstance(self.op, ops.LogSoftmax))


class _Pixel:
    """The vectors of one pixel."""

    def __init__(self, kernel: Channels, work: Work, x: Number) -> None:
        self.kernel, self.to, self.finish = kernel, work.to, kernel.finish
        self.source, self.target = work.buffer("source"), work.buffer("target")
        self.tensors = {role: work.buffer(role) for role in kernel.op.roles}
        self._from, self._into = (
            self.to.plus(layout.start, self.to.times(work.unit, layout.row), self.to.times(x, layout.lanes))
            for layout in (kernel.source, kernel.target)
        )

    def each(self, code: Callable[[Number, bool], None]) -> None:
        """``code(block, partly)`` for every block; ``partly``: lanes beyond the last channel are in it."""
        full, rest = divmod(self.kernel.source.channels, self.to.lanes)
        if full:
            with self.to.loop(full) as block:
                code(block, False)
        if rest:
            code(full, True)

    def get(self, block: Number) -> Vector:
        at = self.to.plus(self._from, self.to.times(block, self.kernel.source.block))
        return self.to.get(self.source, at)

    def tensor(self, role: str, block: Number) -> Vector | None:
        if role not in self.tensors:
            return None
        return self.to.get(self.tensors[role], self.to.times(block, self.to.lanes))

    def put(self, value: Vector, block: Number, partly: bool) -> None:
        """Store a result, 0 in lanes beyond the last channel."""
        at = self.to.plus(self._into, self.to.times(block, self.kernel.target.block))
        self.to.put(self.kept(value, self.to.constant(0)) if partly else value, self.target, at)

    def kept(self, value: Vector, other: Vector) -> Vector:
        """``value`` in lanes that are channels, ``other`` beyond the last one."""
        rest, lanes = self.kernel.source.channels % self.to.lanes, self.to.lanes
        return self.to.pick(value, other, [lane if lane < rest else lanes + lane for lane in range(lanes)])

    def total(self, code: Callable[[Number], Vector], join: Join, neutral: float) -> Vector:
        """``code(block)`` of all blocks and lanes, joined; in every lane."""
        to = self.to
        nothing = to.constant(neutral)
        so_far = to.variable(nothing)

        def add(block: Number, partly: bool) -> None:
            value = code(block)
            to.store(join(to.read(so_far), self.kept(value, nothing) if partly else value), so_far)

        self.each(add)
        return across(to, to.read(so_far), join)


def across(to: Emitter, value: Vector, join: Join) -> Vector:
    """All lanes joined, in every lane."""
    step = to.lanes // 2
    while step:
        value = join(value, to.pick(value, value, [lane ^ step for lane in range(to.lanes)]))
        step //= 2
    return value


def _layer_norm(to: Emitter, pixel: _Pixel, op: ops.LayerNorm) -> None:
    """(x - m) / sqrt(v + eps) * weight + bias; the variance in a pass of its own, free of cancellation."""
    share = to.constant(1 / op.num_channels)
    mean = to.fmul(pixel.total(pixel.get, to.fadd, 0), share)

    def square(block: Number) -> Vector:
        centred = to.fsub(pixel.get(block), mean)
        return to.fmul(centred, centred)

    variance = to.fadd(to.fmul(pixel.total(square, to.fadd, 0), share), to.constant(op.eps))
    factor = to.fdiv(to.constant(1), to.intrinsic("llvm.sqrt", variance))

    def result(block: Number, partly: bool) -> None:
        value = to.fmul(to.fsub(pixel.get(block), mean), factor)
        weight, bias = pixel.tensor("weight", block), pixel.tensor("bias", block)
        if weight is not None:
            value = to.fmul(value, weight)
        if bias is not None:
            value = to.fadd(value, bias)
        pixel.put(pixel.finish.apply(to, value), block, partly)

    pixel.each(result)


def _softmax(to: Emitter, pixel: _Pixel, logarithmic: bool) -> None:
    """e^(x - largest) / their sum, or the logarithm of that."""
    largest = pixel.total(pixel.get, to.larger, float("-inf"))

    def grown(block: Number) -> Vector:
        return exponential(to, to.fsub(pixel.get(block), largest))

    total = pixel.total(grown, to.fadd, 0)
    shift = to.fadd(largest, logarithm(to, total)) if logarithmic else largest
    factor = to.fdiv(to.constant(1), total)

    def result(block: Number, partly: bool) -> None:
        value = to.fsub(pixel.get(block), shift) if logarithmic else to.fmul(grown(block), factor)
        pixel.put(pixel.finish.apply(to, value), block, partly)

    pixel.each(result)


def _local_response(to: Emitter, pixel: _Pixel, op: ops.LocalResponseNorm) -> None:
    """x / (k + alpha / size * sum of squares of ``size`` channels around)^beta: squares slide over lanes."""
    lanes, zero = to.lanes, to.constant(0)
    blocks, before = pixel.kernel.source.blocks, op.size // 2
    partly = bool(pixel.kernel.source.channels % lanes)

    def squares(block: int) -> Vector:
        if not 0 <= block < blocks:
            return zero
        value = pixel.get(block)
        square = to.fmul(value, value)
        return pixel.kept(square, zero) if partly and block == blocks - 1 else square

    last, here = zero, squares(0)
    for block in range(blocks):
        following = squares(block + 1)
        total = zero
        for step in range(-before, op.size - before):
            first, second, start = (last, here, lanes + step) if step < 0 else (here, following, step)
            total = to.fadd(total, to.pick(first, second, range(start, start + lanes)))
        base = to.multiply_add(total, to.constant(op.alpha / op.size), to.constant(op.k))
        value = to.fmul(pixel.get(block), power(to, base, -op.beta))
        pixel.put(pixel.finish.apply(to, value), block, partly and block == blocks - 1)
        last, here = here, following
