"""Object code of many kernels: from the cache, or made now, by several processes where there is much to make.

LLVM, as llvmlite wraps it, holds one lock, so threads would wait for each other. A helper is a process that
reads LLVM IR as text and writes object code. Whoever is free, helpers and ourselves, takes the next kernel;
what a helper that fails has left undone is made here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from striate.engine import cache
from striate.engine.machine_code import object_code
from striate.engine.target import Target
from striate.engine.team import Helper, team

if TYPE_CHECKING:
    from striate.engine.kernels.kernel import Kernel

MUCH = 6  # kernels that are worth a helper, which needs a quarter of a second to start


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
    waiting, made = deque(kernels), dict[str, bytes]()

    def work(compiled: Callable[[str], bytes | None]) -> None:
        """Take one kernel after the other, until none waits or nobody answers."""
        while waiting:
            try:
                kernel = waiting.popleft()
            except IndexError:  # another took the last
                return
            code = compiled(str(kernel.emit(target)))
            if code is None:
                waiting.append(kernel)
                return
            made[kernel.symbol] = code

    def ourselves(text: str) -> bytes:
        return object_code(text, target)

    def together(helper: Helper) -> None:
        while waiting and helper.starting(0.05):
            pass
        if helper.up:
            work(lambda text: helper.object_code(text, target))

    with team() as those:
        hired = those.call() if len(kernels) >= MUCH else []
        with ThreadPoolExecutor(max(1, len(hired))) as pool:
            asked = [pool.submit(together, helper) for helper in hired]
            work(ourselves)
            for one in asked:
                one.result()
        work(ourselves)
    return made
