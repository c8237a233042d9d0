"""What every kernel is: a frozen dataclass that holds all sizes, and writes its own code.

Two equal kernels are one piece of machine code; ``repr`` is the name under which it is cached.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from llvmlite import ir

from striate.engine.compiled import Compiled, Operand
from striate.engine.emit import I64, POINTER, VOID, Emitter, module
from striate.engine.index import Index, Memory, Number
from striate.engine.target import Target


@dataclass(frozen=True)
class Kernel:
    """Base of all kernels. ``family`` is what ``net.plan()`` calls it."""

    family: ClassVar[str] = ""

    @property
    def operands(self) -> tuple[Operand, ...]:
        raise TypeError(f"{type(self).__name__} must say which buffers it touches: define operands.")

    @property
    def units(self) -> int:
        """Pieces into which the work for one image is cut; threads share them out."""
        raise TypeError(f"{type(self).__name__} must say how its work is cut: define units.")

    @property
    def whole_batch(self) -> bool:
        """Whether one unit does its share of all images, instead of one image."""
        return False

    @property
    def overlaps(self) -> bool:
        """Whether two units write some output, each with another rounding: threads then keep their shares."""
        return False

    @property
    def scratch(self) -> int:
        """Items of memory that each thread needs for itself while it works."""
        return 0

    @property
    def multiply_adds(self) -> int:
        """Really carried out, for one image."""
        return 0

    @property
    def storage(self) -> str:
        """How its weights lie in memory: the name of a ``kernels.storage.Storage``."""
        return "fp32"

    def describe(self) -> str:
        return ""

    def begin(self, work: Work) -> None:
        """Write what a thread does once, before its units: no operand is at hand yet, only scratch."""

    def body(self, work: Work) -> None:
        """Write the code of one unit."""
        raise TypeError(f"{type(self).__name__} must write its code: define body.")

    def compiled(self) -> Compiled:
        """What is left of it once its code is made."""
        facts = self.operands, self.units, self.whole_batch, self.overlaps, self.scratch, self.multiply_adds
        return Compiled(self.symbol, self.family, self.describe(), *facts, self.storage)

    @property
    def symbol(self) -> str:
        """Its name in object code."""
        return f"{self.family}_{hashlib.sha256(repr(self).encode()).hexdigest()[:16]}"

    def emit(self, target: Target) -> ir.Module:
        """The kernel as a module with one entry."""
        mod = module(target)
        count = len(self.operands)
        inner = Emitter(mod, f"{self.symbol}_units", target, count + 1, 3, inner=True)
        work = Work(self, inner)
        self.begin(work)
        with work.every_unit():
            self.body(work)
        inner.ret_void()
        _entry(mod, self.symbol, target, inner, count)
        return mod


class Work:
    """What a kernel's body sees: the builder, its buffers for the current image, and the unit's number."""

    def __init__(self, kernel: Kernel, builder: Emitter) -> None:
        self.kernel, self.to = kernel, builder
        self.unit: Number = 0
        self.image: Any = None
        self._first, self._most = None, 1  # of some_images
        self.low, self.high, self.images = builder.numbers
        self.scratch = Memory(builder.pointers[-1], kernel.scratch, f"{kernel.family} scratch")

    @contextmanager
    def every_unit(self) -> Iterator[None]:
        """Units are counted through all images, unless each unit serves the whole batch."""
        total = self.kernel.units
        to = self.to
        with to._loop(self.low, self.high, 1) as number:
            if self.kernel.whole_batch:
                self.unit = Index(number, 0, total - 1) if total > 1 else 0
            elif total == 1:
                self.unit, self.image = 0, number
            else:
                divisor = ir.Constant(I64, total)
                self.unit = Index(to.urem(number, divisor), 0, total - 1)
                self.image = to.udiv(number, divisor)
            yield

    @contextmanager
    def every_image(self) -> Iterator[None]:
        """Inside a whole-batch unit: once for each image."""
        with self.to._loop(ir.Constant(I64, 0), self.images, 1) as image:
            self.image = image
            yield
        self.image = None

    @contextmanager
    def some_images(self, most: int) -> Iterator[None]:
        """Inside a whole-batch unit: for every ``most`` images, the last time for what is left."""
        with self.to._loop(ir.Constant(I64, 0), self.images, most) as first:
            self._first, self._most = first, most
            yield

    def these(self) -> Number:
        """Inside ``some_images``: how many they are."""
        to, left = self.to, self.to.sub(self.images, self._first)
        most = ir.Constant(I64, self._most)
        return Index(to.select(to.icmp_signed("<", left, most), left, most), 1, self._most)

    @contextmanager
    def each_of_these(self) -> Iterator[Number]:
        """Inside ``some_images``: once for each of them; gives its place among them."""
        to = self.to
        with to._loop(ir.Constant(I64, 0), to.raw(self.these()), 1) as place:
            self.image = to.add(self._first, place)
            yield Index(place, 0, self._most - 1) if self._most > 1 else 0
        self.image = None

    def buffer(self, name: str) -> Memory:
        """An operand's buffer (the current image's, if it is not shared), of its declared size."""
        operands = self.kernel.operands
        place = [operand.name for operand in operands].index(name)
        operand = operands[place]
        pointer = self.to.pointers[place]
        if not operand.shared:
            offset = self.to.mul(self.image, ir.Constant(I64, operand.size))
            pointer = self.to.gep(pointer, [offset], source_etype=ir.FloatType())
        return Memory(pointer, operand.size, f"{self.kernel.family} {name}")


def _entry(mod: ir.Module, name: str, target: Target, inner: Emitter, count: int) -> None:
    """void name(buffers, low, high, images, scratch): fetch the buffers, call the body."""
    kind = ir.FunctionType(VOID, [POINTER, I64, I64, I64, POINTER])
    function = ir.Function(mod, kind, name)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    table, low, high, images, scratch = function.args
    pointers = [
        builder.load(builder.gep(table, [ir.Constant(I64, i)], source_etype=POINTER), typ=POINTER)
        for i in range(count)
    ]
    builder.call(inner.function_, [*pointers, scratch, low, high, images])
    builder.ret_void()


__all__ = ["Kernel", "Operand", "Work"]
