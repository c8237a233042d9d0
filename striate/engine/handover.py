"""Work handed to threads that wait in machine code: half a microsecond, where to wake one takes fifty.

    void striate_attend(int64 *mailbox, drive, turns, yield)
    int64 striate_hand_over(int64 *told: drive, yield, workers, own, then for each worker: mailbox, its own)

A worker that has done its work looks into its mailbox for about as long as waking it would take, and then
sleeps. What it may find there: ``WAITING``, as it left it; ``ASLEEP``, which tells it to go (or, once it has
waited long enough, is what it writes); ``CLAIMED``, by a caller who looks whether all others wait too; or the
address of what ``drive`` is told. A caller takes all workers or none, in one call of machine code, which
returns when all of them have done their part: no Ctrl-C can come in between.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from striate.engine.entry import GIVE_WAY, LINE
from striate.engine.machine_code import Library, kept_code
from striate.engine.target import Target

if TYPE_CHECKING:
    from llvmlite import ir

ATTEND, HAND_OVER = "striate_attend", "striate_hand_over"  # names in object code
ASLEEP, WAITING, CLAIMED = 0, 1, 2
TURNS = 500  # of looking, each of which offers the processor to others: 0.2 to 0.5 us where nobody wants it
Numbers = NDArray[np.int64]


class Handover:
    """The two functions, for one ``drive`` (its address)."""

    def __init__(self, target: Target, drive: int) -> None:
        self._library = _library(target)
        number, pointer = ctypes.c_int64, ctypes.c_void_p
        attend = ctypes.CFUNCTYPE(None, pointer, number, number, pointer)
        self._attend = attend(self._library.address(ATTEND))
        self._hand_over = ctypes.CFUNCTYPE(number, pointer)(self._library.address(HAND_OVER))
        self.drive = drive

    def attend(self, mailbox: Numbers) -> None:
        """Do what comes into the mailbox, until nothing came for a while."""
        self._attend(mailbox.ctypes.data, self.drive, TURNS, GIVE_WAY)

    def told(self, blocks: list[int], mailboxes: list[Numbers]) -> Numbers:
        """What ``hand_over`` is given. ``blocks``: where lies what ``drive`` is told, the caller's first."""
        own, *others = blocks
        pairs = [
            pair for box, block in zip(mailboxes, others, strict=True) for pair in (box.ctypes.data, block)
        ]
        return np.array((self.drive, GIVE_WAY, len(others), own, *pairs), np.int64)

    def hand_over(self, told: int) -> bool:
        """Whether all workers were waiting; then everything is done. ``told``: an address."""
        return bool(self._hand_over(told))


def mailbox() -> Numbers:
    """Of one worker, alone in its cache lines."""
    return np.zeros(2 * LINE, np.int64)[LINE // 2 :]


@cache
def _library(target: Target) -> Library:
    def made(target: Target) -> ir.Module:
        from striate.engine.handover_code import handover_module

        return handover_module(target)

    return Library([kept_code(HAND_OVER, target, made)], target)
