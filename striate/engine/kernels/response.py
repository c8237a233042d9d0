"""Global response norm of ConvNeXt V2 (arXiv 2301.00808): y = weight x n + bias + x.

n is the length of a channel over the whole map, divided by the mean length of all channels. The first kernel
makes the lengths, the second divides them and scales the map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate.engine.kernels.channels import across
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.layout import Layout


@dataclass(frozen=True)
class Lengths(Kernel):
    """sqrt of the sum of x^2 over the map, for each channel. Unit: a block of channels."""

    family: ClassVar[str] = "lengths"
    source: Layout

    @property
    def operands(self) -> tuple[Operand, ...]:
        source = self.source
        return Operand("source", source.size), Operand("lengths", source.blocks * source.lanes)

    @property
    def units(self) -> int:
        return self.source.blocks

    def body(self, work: Work) -> None:
        to, source = work.to, self.source
        base = to.plus(source.start, to.times(work.unit, source.block))
        total = to.variable(to.constant(0))
        with to.loop(source.height) as y:
            row, image = to.variable(to.constant(0)), work.buffer("source")  # sums of a row stay small
            with to.loop(source.width) as x:
                at = to.plus(base, to.times(y, source.row), to.times(x, source.lanes))
                value = to.get(image, at)
                to.store(to.multiply_add(value, value, to.read(row)), row)
            to.store(to.fadd(to.read(total), to.read(row)), total)
        result = to.intrinsic("llvm.sqrt", to.read(total))
        rest = source.channels % to.lanes
        if rest:  # lanes beyond the last channel must not enter the mean
            last = to.icmp_signed("==", to.raw(work.unit), to.raw(source.blocks - 1))
            lanes = [lane if lane < rest else to.lanes + lane for lane in range(to.lanes)]
            result = to.select(last, to.pick(result, to.constant(0), lanes), result)
        to.put(result, work.buffer("lengths"), to.times(work.unit, to.lanes))


@dataclass(frozen=True)
class Response(Kernel):
    """The map scaled. Unit: a block of channels."""

    family: ClassVar[str] = "response norm"
    source: Layout
    target: Layout
    eps: float
    finish: Finish

    @property
    def operands(self) -> tuple[Operand, ...]:
        source, channels = self.source, self.source.blocks * self.source.lanes
        return (
            Operand("source", source.size),
            Operand("lengths", channels),
            Operand("weight", channels, shared=True),
            Operand("bias", channels, shared=True),
            Operand("target", self.target.size),
        )

    @property
    def units(self) -> int:
        return self.source.blocks

    def body(self, work: Work) -> None:
        to, source, target = work.to, self.source, self.target
        lengths, channels = work.buffer("lengths"), to.times(work.unit, to.lanes)
        total = to.variable(to.constant(0))
        with to.loop(source.blocks) as block:
            length = to.get(lengths, to.times(block, to.lanes))
            to.store(to.fadd(to.read(total), length), total)
        mean = to.fmul(across(to, to.read(total), to.fadd), to.constant(1 / source.channels))
        n = to.fdiv(to.get(lengths, channels), to.fadd(mean, to.constant(self.eps)))
        factor = to.multiply_add(to.get(work.buffer("weight"), channels), n, to.constant(1))
        shift = to.get(work.buffer("bias"), channels)
        image, result = work.buffer("source"), work.buffer("target")
        with to.loop(source.height) as y, to.loop(source.width) as x:
            here, there = (
                to.plus(
                    layout.start,
                    to.times(work.unit, layout.block),
                    to.times(y, layout.row),
                    to.times(x, layout.lanes),
                )
                for layout in (source, target)
            )
            value = to.multiply_add(to.get(image, here), factor, shift)
            to.put(self.finish.apply(to, value), result, there)
