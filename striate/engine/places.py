"""Where threads run (Linux): workers keep off the processor that their caller is on.

A thread that is woken may be put beside the one that woke it, on the same processor, while another one idles;
two threads that then wait for each other take longer than one alone. Elsewhere nothing is done.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from contextlib import suppress

_GET_CPU = getattr(ctypes.CDLL(None), "sched_getcpu", None) if sys.platform == "linux" else None


def here() -> int:
    """The processor that this thread is on; -1 where nobody knows."""
    return _GET_CPU() if _GET_CPU is not None else -1


def keep_off(processor: int, threads: Iterable[int]) -> None:
    """Threads (native numbers) of this process use all that the caller may use, except that processor."""
    if sys.platform != "linux":
        return
    with suppress(OSError):  # a thread that has just ended, or a system that forbids it
        others = os.sched_getaffinity(0) - {processor}
        for thread in threads if others else ():
            os.sched_setaffinity(thread, others)
