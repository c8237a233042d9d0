"""The threads of an OpenMP library that is loaded: they run ``drive`` as they run a parallel loop.

    void striate_share(record)

is what each thread of a team calls; the record has the addresses of ``drive`` and of the library's two
functions that tell a thread its number and the size of its team, and then what ``drive`` is to be told.
The names are GNU's, which LLVM's and Intel's libraries answer to as well.
"""

from __future__ import annotations

import ctypes

import numpy as np
from llvmlite import ir

from striate.engine.emit import I32, I64, POINTER, VOID, module
from striate.engine.machine_code import Library, kept_code
from striate.engine.target import Target

SHARE = "striate_share"
NAMES = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")


class OpenMP:
    """``functions``: the addresses of NAMES."""

    def __init__(self, functions: tuple[int, ...], target: Target) -> None:
        self._library = Library([kept_code(SHARE, target, _module)], target)
        self._share = self._library.address(SHARE)
        number = ctypes.c_uint
        kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, number, number)
        self._parallel, self._asked = kind(functions[0]), functions[1:]

    def run(self, drive: int, record: tuple[int, ...], threads: int) -> None:
        """``record``: steps, count, images, scratch, bytes of it for each thread, meeting, yield."""
        content = np.array((drive, *self._asked, *record), np.int64)
        self._parallel(self._share, content.ctypes.data, threads, 0)


def found(target: Target) -> OpenMP | None:
    """The library whose names the whole process sees; None where there is none."""
    try:
        functions = [getattr(ctypes.CDLL(None), name) for name in NAMES]
    except (AttributeError, OSError, TypeError):
        return None
    return OpenMP(tuple(ctypes.cast(one, ctypes.c_void_p).value or 0 for one in functions), target)


def _module(target: Target) -> ir.Module:
    mod = module(target)
    to = ir.IRBuilder(ir.Function(mod, ir.FunctionType(VOID, [POINTER]), SHARE).append_basic_block("entry"))
    (record,) = to.function.args
    asked = ir.FunctionType(I32, []).as_pointer()
    kind = ir.FunctionType(VOID, [POINTER]).as_pointer()
    places = [to.gep(record, [ir.Constant(I64, i)], source_etype=I64) for i in range(10)]
    drive, number, size, steps, count, images, scratch, each, meeting, give_way = (
        to.load(place, typ=I64) for place in places
    )
    thread, threads = (to.sext(to.call(to.inttoptr(one, asked), []), I64) for one in (number, size))
    own = to.add(scratch, to.mul(thread, each))
    told = to.alloca(I64, 8)
    for place, value in enumerate((steps, count, images, thread, threads, own, meeting, give_way)):
        to.store(value, to.gep(told, [ir.Constant(I64, place)], source_etype=I64))
    to.call(to.inttoptr(drive, kind), [told])
    to.ret_void()
    return mod
