"""Loads and stores that stay where they stand: LLVM neither moves them nor makes others of them."""

from __future__ import annotations

from llvmlite import ir


class VolatileLoad(ir.LoadInstr):  # type: ignore[misc]  # llvmlite has no types
    def descr(self, buf: list[str]) -> None:
        text: list[str] = []
        super().descr(text)
        buf += [part.replace("load", "load volatile", 1) for part in text]


class VolatileStore(ir.StoreInstr):  # type: ignore[misc]
    def descr(self, buf: list[str]) -> None:
        text: list[str] = []
        super().descr(text)
        buf += [part.replace("store", "store volatile", 1) for part in text]
