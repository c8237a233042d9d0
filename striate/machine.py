"""The machine that we run on, as it is told in results: system, processor, cores, memory."""

from __future__ import annotations

import gc
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SELDOM = (100_000, 20, 100)  # as gc.set_threshold takes them
_LARGE = 500  # modules of a library whose objects are worth it


def describe() -> dict[str, Any]:
    """System, processor, cores that this process may use, memory (GiB) and Python, as JSON values."""
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": processors(),
        "memory_gib": _memory_gib(),
        "python": platform.python_version(),
    }


@contextmanager
def collecting_seldom(*, imports_only: bool = False) -> Iterator[None]:
    """Inside, Python rarely looks for cycles among its objects: while a large library is imported.

    Importing torch makes a million objects, which all stay: to go through them again and again is a fifth of
    the time that it takes. ``imports_only``: nothing else happens inside. So where a large library came, all
    that there is then is left out of later searches too, two of which would take 0.15 s to find nothing.
    """
    before, known = gc.get_threshold(), len(sys.modules)
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if imports_only and len(sys.modules) - known >= _LARGE:
            gc.freeze()


def processors() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux only
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def _processor() -> str:
    """The processor's name as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (AttributeError, ValueError, OSError):  # Windows
        return None
