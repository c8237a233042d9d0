"""How a thread enters machine code: the C type of ``drive``, what it calls in waiting, where threads meet.

``ctypes`` takes 0.3 us for each argument: so there is one, which says where the others lie.
"""

from __future__ import annotations

import ctypes
import sys


def _give_way() -> int:
    """The address of the system's "let others run"."""
    if sys.platform == "win32":
        function = ctypes.WinDLL("kernel32").SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0


GIVE_WAY = _give_way()
ARGUMENTS = ctypes.c_int64 * 8
PROTOTYPE = ctypes.CFUNCTYPE(None, ctypes.POINTER(ARGUMENTS))
LINE = 16  # int64 numbers: two cache lines, so that no two threads count in one
ALIGNED = 2 * LINE - 1


def meeting_size(count: int, threads: int) -> int:
    """How many int64 numbers ``drive`` needs, 0 at first; it leaves them so."""
    return LINE + threads * ((count + ALIGNED) & -LINE)
