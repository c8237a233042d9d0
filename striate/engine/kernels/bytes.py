"""The first step for images of bytes: each becomes byte * factor + shift, and lies as the network reads it.

An image passes by once, from where its user has it to the map that the first layer reads: no copy in float32
is made in between. The frame of that map is no part of the image and stays 0: it is padding of what has been
normalised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from llvmlite import ir

from striate.engine.emit import F32, I8, I32, I64, Emitter, Vector
from striate.engine.index import Memory, Number
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.layout import Layout
from striate.engine.scaling import Scaling


@dataclass(frozen=True)
class Bytes(Kernel):
    """``last``: the channels of a pixel lie together (H, W, C), else channel after channel (C, H, W).

    Unit: a row.
    """

    family: ClassVar[str] = "bytes"
    target: Layout
    last: bool
    scaling: Scaling

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The items of the source are bytes."""
        return (
            Operand("source", self.target.channels * self.target.pixels),
            Operand("target", self.target.size),
        )

    @property
    def units(self) -> int:
        return self.target.height

    def describe(self) -> str:
        return "pixel by pixel" if self.last else "channel by channel"

    def body(self, work: Work) -> None:
        to, target = work.to, self.target
        size = self.operands[0].size
        image = to.gep(to.pointers[0], [to.mul(work.image, ir.Constant(I64, size))], source_etype=I8)
        source = Memory(image, size, "bytes source", I8)
        if target.lanes == 1:
            self._planes(work, source)
        else:
            self._pixels(work, source)

    def _planes(self, work: Work, source: Memory) -> None:
        """As many pixels at a time as a vector has lanes; the last ones of a row may come twice."""
        to, target = work.to, self.target
        width = min(to.lanes, target.width)
        with to.loop(-(-target.width // width) * width, width) as first:
            x = to.least(first, target.width - width)
            row = to.plus(target.start, to.times(work.unit, target.row), x)
            for channel, values in enumerate(self._values(to, source, work.unit, x, width)):
                found = self._scaled(to, values, [channel] * width)
                to.put(found, work.buffer("target"), to.plus(row, channel * target.block))

    def _values(self, to: Emitter, source: Memory, y: Number, x: Number, width: int) -> list[Any]:
        """Of each channel, the bytes of ``width`` pixels side by side."""
        target, channels = self.target, self.target.channels
        pixel = to.plus(to.times(y, target.width), x)
        if not self.last or channels == 1:
            return [_bytes(to, source, to.plus(pixel, c * target.pixels), width) for c in range(channels)]
        whole = _bytes(to, source, to.times(pixel, channels), width * channels)
        return [to.pick(whole, whole, range(c, width * channels, channels)) for c in range(channels)]

    def _pixels(self, work: Work, source: Memory) -> None:
        """A vector holds channels of one pixel, and zeros beyond the last."""
        to, target = work.to, self.target
        with to.loop(target.width) as x:
            pixel = to.plus(to.times(work.unit, target.width), x)
            place = to.plus(target.start, to.times(work.unit, target.row), to.times(x, target.lanes))
            for block in range(target.blocks):
                channels = range(block * target.lanes, min((block + 1) * target.lanes, target.channels))
                values = self._channels(to, source, pixel, channels)
                found = self._scaled(to, values, channels)
                nothing = ir.Constant(found.type, None)
                lanes = [min(lane, len(channels)) for lane in range(target.lanes)]
                whole = to.pick(found, nothing, lanes)
                to.put(whole, work.buffer("target"), to.plus(place, block * target.block))

    def _channels(self, to: Emitter, source: Memory, pixel: Number, channels: range) -> Any:
        """The bytes of these channels of one pixel."""
        if self.last:
            at = to.plus(to.times(pixel, self.target.channels), channels.start)
            return _bytes(to, source, at, len(channels))
        found = ir.Constant(ir.VectorType(I8, len(channels)), ir.Undefined)
        for lane, channel in enumerate(channels):
            address = to.address(source, to.plus(pixel, channel * self.target.pixels), 1)
            value = to.load(address, typ=I8)
            found = to.insert_element(found, value, ir.Constant(I32, lane))
        return found

    def _scaled(self, to: Emitter, values: Any, channels: Sequence[int]) -> Vector:
        """In two roundings, as NumPy does it."""
        kind = ir.VectorType(F32, len(channels))
        factors, shifts = (
            ir.Constant(kind, [ir.Constant(F32, numbers[channel]) for channel in channels])
            for numbers in (self.scaling.factors, self.scaling.shifts)
        )
        wide = to.zext(values, ir.VectorType(I32, len(channels)))
        return to.fadd(to.fmul(to.sitofp(wide, kind), factors), shifts)


def _bytes(to: Emitter, source: Memory, at: Number, count: int) -> Any:
    return to.load(to.address(source, at, count), typ=ir.VectorType(I8, count), align=1)
