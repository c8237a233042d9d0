"""How much memory there is for images."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path


def memory() -> int | None:
    """Bytes of memory that this process may use, or None where no one says."""
    limits: list[int] = []
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    if sys.platform == "win32":
        limits.append(_windows_memory())
    container = Path("/sys/fs/cgroup/memory.max")  # what a container is allowed
    with suppress(OSError, ValueError):
        limits.append(int(container.read_text()))
    return min(limits, default=None)


def _windows_memory() -> int:
    import ctypes

    kilobytes = ctypes.c_ulonglong()
    ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))  # type: ignore[attr-defined,unused-ignore]
    return kilobytes.value * 1024
