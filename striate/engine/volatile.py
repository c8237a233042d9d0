"""A load that stays where it stands: LLVM neither moves it nor keeps its value."""

from __future__ import annotations

from llvmlite import ir


class VolatileLoad(ir.LoadInstr):  # type: ignore[misc]  # llvmlite has no types
    def descr(self, buf: list[str]) -> None:
        text: list[str] = []
        super().descr(text)
        buf += [part.replace("load", "load volatile", 1) for part in text]
