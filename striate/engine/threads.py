"""How many threads NumPy's matrix library may use. NumPy itself has no switch; threadpoolctl does."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from striate.errors import ArgumentError, UnsupportedError


def thread_limit(threads: int | None) -> Callable[[], AbstractContextManager[Any]]:
    """A function whose contexts hold NumPy's matrix products to ``threads`` threads; None: no limit.

    Raises ArgumentError for anything but None or an integer of at least 1, UnsupportedError where the limit
    could not be kept: threadpoolctl is not installed, or does not know NumPy's library.
    """
    if threads is None:
        return nullcontext
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ArgumentError(f"threads must be an integer of at least 1, got {threads!r}: give 1 or more.")
    remedy = f"leave threads out, and set OPENBLAS_NUM_THREADS={threads} before Python starts"
    try:
        controller = importlib.import_module("threadpoolctl").ThreadpoolController()
    except ImportError:
        raise UnsupportedError(
            f"threads={threads} needs the package threadpoolctl: pip install threadpoolctl, or {remedy}."
        ) from None
    if not controller.select(user_api="blas").info():
        raise UnsupportedError(f"threads={threads} cannot be set for this build of NumPy: {remedy}.")
    return partial(controller.limit, limits=threads, user_api="blas")
