"""What a forked child makes anew: locks that other threads held, and threads, of which it has none."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Renewed(Protocol):
    """Something with locks or threads of its own."""

    def renew(self) -> None:
        """Give it those of this process."""


_LIVING: weakref.WeakSet[Renewed] = weakref.WeakSet()


def renew_in_children(one: Renewed) -> None:
    """Renew it now, and in every child that is forked while it lives."""
    one.renew()
    _LIVING.add(one)


def _after_fork() -> None:
    for one in list(_LIVING):
        one.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
