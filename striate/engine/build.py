"""Object code of many kernels: from the cache, or made now, by several processes where there is much to make.

LLVM, as llvmlite wraps it, holds one lock, so threads would wait for each other. A helper is a process that
reads LLVM IR as text and writes object code. Whoever is free, helpers and ourselves, takes the next kernel;
what a helper that failed was asked is made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, PriorityQueue
from threading import Event, Thread
from typing import TYPE_CHECKING

from striate.engine import cache
from striate.engine.machine_code import object_code
from striate.engine.target import Target
from striate.engine.team import Helper, team

if TYPE_CHECKING:
    from striate.engine.kernels.kernel import Kernel

MUCH = 6  # kernels that are worth a helper, which needs a quarter of a second to start
END = (1, "", "")  # comes after all kernels


def build(kernels: Sequence[Kernel], target: Target) -> dict[str, bytes]:
    """Symbol -> object code; what was not in the cache is put there."""
    names = {kernel.symbol: cache.key(repr(kernel), target) for kernel in kernels}
    codes = {symbol: code for symbol, name in names.items() if (code := cache.read(name)) is not None}
    missing = [kernel for kernel in kernels if kernel.symbol not in codes]
    made = _made(missing, target)
    for symbol, code in made.items():
        cache.write(names[symbol], code)
    return codes | made


def _made(kernels: Sequence[Kernel], target: Target) -> dict[str, bytes]:
    """One thread writes all texts: two would wait for each other. The longest are compiled first."""
    waiting: PriorityQueue[tuple[int, str, str]] = PriorityQueue()  # ..., symbol, text
    made, over = dict[str, bytes](), Event()

    def together(helper: Helper) -> None:
        while helper.starting(0.02):
            if over.is_set():
                return
        while helper.up and not over.is_set() and (asked := waiting.get()) != END:
            code = helper.object_code(asked[2], target)
            if code is None:
                waiting.put(asked)
                return
            made[asked[1]] = code

    def ourselves() -> None:
        with suppress(Empty):
            while (asked := waiting.get_nowait()) != END:
                made[asked[1]] = object_code(asked[2], target)

    with team() as those:
        hired = those.call() if len(kernels) >= MUCH else []
        threads = [Thread(target=together, args=(helper,), daemon=True) for helper in hired]
        for thread in threads:
            thread.start()
        try:
            for kernel in kernels:
                text = str(kernel.emit(target))
                waiting.put((-len(text), kernel.symbol, text))
            ourselves()
        finally:
            over.set()
            for _ in threads:
                waiting.put(END)
            for thread in threads:
                thread.join()
        ourselves()  # what helpers that failed were asked
    return made
