"""Integers that know their range, memory that knows its size: why no emitted address can leave its buffer.

Every offset that a kernel computes is an ``Index``: a value of the emitted code together with the least and
the greatest number it can ever be. Sums, products, quotients and table entries carry their ranges, as in
interval arithmetic. Memory is entered only through ``Memory.reach``, which refuses, while the code is being
written, any access whose range is not inside. The one thing taken on trust is that the caller of a kernel
passes the buffers and the unit numbers that it was built for; ``program`` builds both from the same layouts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from llvmlite import ir

from striate.engine.compiled import OutOfBoundsError


@dataclass(frozen=True)
class Index:
    """``value``: an i64 of the emitted code, always within ``low`` to ``high`` (both included)."""

    value: Any
    low: int
    high: int


Number: TypeAlias = "Index | int"


@dataclass
class Memory:
    """A pointer to float32 values (``item``: bytes of one), of which ``size`` may be touched.

    ``size`` None: the parameter of an inner function. What it touches is recorded as ``first`` and ``end``,
    and checked where the function is called.
    """

    pointer: Any
    size: int | None
    name: str
    item: ir.Type = field(default_factory=ir.FloatType)
    first: int = 0
    end: int = 0

    def reach(self, low: int, end: int) -> None:
        """Raise OutOfBoundsError unless items ``low`` to ``end - 1`` are inside."""
        if self.size is None:
            self.first, self.end = min(self.first, low), max(self.end, end)
        elif low < 0 or end > self.size:
            raise OutOfBoundsError(
                f"{self.name} has items 0 to {self.size - 1}, asked for {low} to {end - 1}"
            )


@dataclass
class Moved(Memory):
    """``whole``, counted from a place between ``low`` and ``high`` on."""

    whole: Memory | None = None
    low: int = 0
    high: int = 0

    def reach(self, low: int, end: int) -> None:
        if self.whole is not None:
            self.whole.reach(self.low + low, self.high + end)


def lowest(number: Number) -> int:
    return number if isinstance(number, int) else number.low


def highest(number: Number) -> int:
    return number if isinstance(number, int) else number.high
