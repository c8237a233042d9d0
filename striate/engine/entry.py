"""How a thread enters machine code: the C type of ``drive``, and what it calls while it waits."""

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
_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64
PROTOTYPE = ctypes.CFUNCTYPE(None, _POINTER, _NUMBER, _NUMBER, _NUMBER, _NUMBER, _POINTER, _POINTER, _NUMBER)
