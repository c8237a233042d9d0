"""Lines that no signal interrupts half way: once a thread was given its part, others wait for it.

Python runs a signal's handler between any two steps of the main thread, and SIGINT's raises there. Within the
block signals are noted, and handled at its end.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGALRM") if hasattr(signal, name)]


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Elsewhere than in the main thread nothing has to be done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers: dict[int, Any] = {
        number: handler for number in SIGNALS if callable(handler := signal.getsignal(number))
    }
    late: list[tuple[int, FrameType | None]] = []
    try:
        for number in handlers:
            signal.signal(number, lambda *what: late.append(what))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number, frame in late:
            handlers[number](number, frame)
