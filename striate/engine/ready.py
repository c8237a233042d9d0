"""What a program is made of: machine code, and packed weights in one region of memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from numpy.typing import NDArray

from striate.engine.compiled import DRIVER
from striate.engine.machine_code import Library
from striate.engine.memory import allocate, guarded, lines
from striate.engine.steps import Step
from striate.engine.target import Target

if TYPE_CHECKING:
    from striate.engine.kernels.kernel import Kernel

Array = NDArray[Any]


@dataclass(frozen=True)
class Ready:
    """``codes``: object code by symbol. ``weights``: the region in which packed weights lie; None: apart."""

    codes: Mapping[str, bytes]
    weights: Array | None


def in_one_region(steps: Sequence[Step]) -> Array | None:
    """Move packed weights into one region; an array that several parts share is there once.

    The parts' own references are replaced one by one, so that what was moved is free for others. With guard
    pages every array has memory of its own, and there is no region.
    """
    places = [
        (cast("dict[str, Array]", part.constants), name, id(part.constants[name]))
        for part in (step.part for step in steps)
        for name in part.constants
    ]
    sizes = {key: constants[name].size for constants, name, key in places}
    region = None if guarded() else allocate(max(1, sum(lines(size) for size in sizes.values())))
    moved: dict[int, Array] = {}
    at = 0
    for constants, name, key in places:
        if key not in moved:
            size = sizes[key]
            moved[key] = allocate(size) if region is None else region[at : at + size]
            moved[key][:] = constants[name]
            at += lines(size)
        constants[name] = moved[key]
    return region


class Loaded:
    """Machine code, each function's address by its symbol."""

    def __init__(self, codes: Mapping[str, bytes], target: Target) -> None:
        self._library = Library(codes.values(), target)
        self.addresses = {symbol: self._library.address(symbol) for symbol in codes}


def code_of(kernels: Sequence[Kernel], target: Target) -> dict[str, bytes]:
    """Object code of each different kernel, once, and of what drives them: from the cache, or made now."""
    from striate.engine.build import build
    from striate.engine.drive import driver

    wanted = {kernel.symbol: kernel for kernel in kernels}
    return {**build(list(wanted.values()), target), DRIVER: driver(target)}
