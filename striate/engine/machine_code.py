"""From LLVM IR to functions that run: optimise, assemble, load. Object code is a value that can be kept."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING

import llvmlite.binding as llvm

from striate.engine import cache as disk
from striate.engine.target import Target

if TYPE_CHECKING:
    from llvmlite import ir

_LOCK = threading.Lock()  # LLVM's parser, and our one-time set-up
if hasattr(os, "register_at_fork"):  # a child gets LLVM between two modules, never in the middle of one
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


@cache
def _initialise() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    # the machine scheduler hoists loads above the multiply-adds and spills accumulators: 67 -> 114 GFLOP/s
    llvm.set_option("striate", "-enable-misched=false")


def target_machine(target: Target) -> llvm.TargetMachine:
    _initialise()
    chosen = llvm.Target.from_triple(target.triple)
    return chosen.create_target_machine(
        cpu=target.cpu, features=target.features, opt=3, codemodel="jitdefault", jit=True
    )


def object_code(mod: ir.Module | str, target: Target) -> bytes:
    """The module, or its text, as an object file."""
    with _LOCK:
        machine = target_machine(target)
        return bytes(machine.emit_object(_optimised(mod, machine)))


def kept_code(name: str, target: Target, make: Callable[[Target], ir.Module]) -> bytes:
    """The object code of the module that is made: from the cache on disk, or made now."""
    key = disk.key(name, target)
    code = disk.read(key)
    if code is None:
        code = object_code(make(target), target)
        disk.write(key, code)
    return code


def assembly(mod: ir.Module, target: Target) -> str:
    """The module as readable assembly, for any processor that LLVM knows."""
    with _LOCK:
        machine = target_machine(target)
        return str(machine.emit_assembly(_optimised(mod, machine)))


def _optimised(mod: ir.Module | str, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    parsed = llvm.parse_assembly(str(mod))
    parsed.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=2)
    tuning.loop_unrolling = tuning.loop_vectorization = tuning.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(parsed, builder)
    return parsed


class Library:
    """Loaded object code. Functions live as long as this object."""

    def __init__(self, objects: Iterable[bytes], target: Target) -> None:
        with _LOCK:
            machine = target_machine(target)
            empty = llvm.parse_assembly(f'target triple = "{target.triple}"')
            self._engine = llvm.create_mcjit_compiler(empty, machine)
            for content in objects:
                self._engine.add_object_file(llvm.ObjectFileRef.from_data(content))
            self._engine.finalize_object()

    def address(self, symbol: str) -> int:
        with _LOCK:
            return int(self._engine.get_function_address(symbol))
