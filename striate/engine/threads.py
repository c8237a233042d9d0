"""How many threads: those of compiled code, and those of NumPy's matrix library where NumPy has to help."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from striate.errors import ArgumentError
from striate.machine import processors

Limit = Callable[[], AbstractContextManager[Any]]


def checked_threads(threads: int | None) -> int:
    """The number asked for, as long as each has a processor; None: all that this process may use.

    More of them take turns on the processors, and all would wait for the one whose turn is last.
    Raises ArgumentError for anything but None or an integer of at least 1.
    """
    if threads is None:
        return processors()
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ArgumentError(f"threads must be an integer of at least 1, got {threads!r}: give 1 or more.")
    return min(threads, processors())


def numpy_limit(threads: int | None) -> Limit:
    """A function whose contexts hold NumPy's matrix products to ``threads`` threads; None: no limit.

    NumPy itself has no such switch; where threadpoolctl is missing, or does not know NumPy's library, its own
    switch stays in force (OPENBLAS_NUM_THREADS or MKL_NUM_THREADS, read before Python starts).
    """
    if threads is None:
        return nullcontext
    try:
        controller = importlib.import_module("threadpoolctl").ThreadpoolController()
    except ImportError:
        return nullcontext
    if not controller.select(user_api="blas").info():
        return nullcontext
    return partial(controller.limit, limits=threads, user_api="blas")
