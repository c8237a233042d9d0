"""What a program must know of a kernel once its code is made: no size of a loop, no word, no LLVM."""

from __future__ import annotations

from dataclasses import dataclass

FIELDS = 7  # int64 numbers that tell ``drive`` a step: entry, buffers, units, whole batch, wait, images, hand
KEPT = -1  # a hand: each thread does its own share, and no other's
DRIVER = "striate_drive"  # its name in object code


class OutOfBoundsError(Exception):
    """An address outside of its buffer, met while code is written, or while a program is put together."""


@dataclass(frozen=True)
class Operand:
    """One buffer a kernel touches: ``size`` items for each image (or for all, where ``shared``)."""

    name: str
    size: int
    shared: bool = False


@dataclass(frozen=True)
class Compiled:
    """The same names as those of ``kernels.kernel.Kernel``, as numbers that can be stored."""

    symbol: str
    family: str
    tile: str
    operands: tuple[Operand, ...]
    units: int
    whole_batch: bool
    overlaps: bool
    scratch: int
    multiply_adds: int
    storage: str

    def describe(self) -> str:
        return self.tile
