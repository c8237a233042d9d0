"""The one function that every thread calls, once for a whole stretch of network: it runs all steps in order.

    void drive(steps, count, images, thread, threads, scratch, arrived, yield)

Each step is seven numbers: entry, buffers, units, whole batch, wait, images (0: those of the call), hand. A
thread takes its share of the units, or all if it is the n-th of a step whose ``hand`` is n; where ``wait`` is
set, all threads meet before anyone goes on. Meeting is an atomic counter: after its n-th meeting every thread
has added n, so the counter has reached n * threads. Who waits spins for microseconds and then offers the
processor to others, since the thread it waits for may need exactly this core. Where fewer threads came than
were thought of, each is several hands.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from striate.engine import cache as disk
from striate.engine.compiled import DRIVER, FIELDS
from striate.engine.emit import I64, POINTER, VOID, module
from striate.engine.machine_code import object_code
from striate.engine.target import Target

SPINS = 2000  # turns before the first yield


def driver(target: Target) -> bytes:
    """Its object code: from the cache, or made now."""
    name = disk.key(DRIVER, target)
    code = disk.read(name)
    if code is None:
        code = object_code(_module(target), target)
        disk.write(name, code)
    return code


def _module(target: Target) -> ir.Module:
    mod = module(target)
    entry = ir.FunctionType(VOID, [POINTER, I64, I64, I64, POINTER])
    kind = ir.FunctionType(VOID, [POINTER, I64, I64, I64, I64, POINTER, POINTER, I64])
    function = ir.Function(mod, kind, DRIVER)
    steps, count, images, thread, threads, scratch, arrived, give_way = function.args
    to = ir.IRBuilder(function.append_basic_block("entry"))
    turn, done = function.append_basic_block("turn"), function.append_basic_block("done")
    start = to.block
    to.branch(turn)
    to.position_at_end(turn)
    step, met = to.phi(I64, "step"), to.phi(I64, "met")

    def field(number: int) -> Any:
        place = to.add(to.mul(step, _int(FIELDS)), _int(number))
        return to.load(to.gep(steps, [place], source_etype=I64), typ=I64)

    units, whole, own = field(2), to.icmp_signed("!=", field(3), _int(0)), field(5)
    seen = to.select(to.icmp_signed("==", own, _int(0)), images, own)
    total = to.select(whole, units, to.mul(units, seen))
    hand, shared = field(6), to.icmp_signed("==", field(6), _int(0))
    mine = to.icmp_signed("==", to.srem(to.sub(hand, _int(1)), threads), thread)
    parts, part = to.select(shared, threads, _int(1)), to.select(shared, thread, _int(0))
    total = to.select(to.or_(shared, mine), total, _int(0))
    low = to.sdiv(to.mul(total, part), parts)
    high = to.sdiv(to.mul(total, to.add(part, _int(1))), parts)
    with to.if_then(to.icmp_signed("<", low, high)):
        code = to.inttoptr(field(0), entry.as_pointer())
        to.call(code, [to.inttoptr(field(1), POINTER), low, high, seen, scratch])
    wait = to.and_(to.icmp_signed("!=", field(4), _int(0)), to.icmp_signed(">", threads, _int(1)))
    now = to.select(wait, to.add(met, _int(1)), met)
    with to.if_then(wait):
        to.atomic_rmw("add", arrived, _int(1), "acq_rel")
        _wait(to, arrived, to.mul(now, threads), give_way)
    following = to.add(step, _int(1))
    for phi, first, later in ((step, _int(0), following), (met, _int(0), now)):
        phi.add_incoming(first, start)
        phi.add_incoming(later, to.block)
    to.cbranch(to.icmp_signed("<", following, count), turn, done)
    to.position_at_end(done)
    to.ret_void()
    return mod


def _wait(to: ir.IRBuilder, arrived: Any, wanted: Any, give_way: Any) -> None:
    """Until the counter has reached ``wanted``."""
    before, spin = to.block, to.append_basic_block("spin")
    pause, there = to.append_basic_block("pause"), to.append_basic_block("there")
    to.branch(spin)
    to.position_at_end(spin)
    turns = to.phi(I64)
    turns.add_incoming(_int(0), before)
    to.cbranch(to.icmp_signed("<", to.load_atomic(arrived, "acquire", 8, typ=I64), wanted), pause, there)
    to.position_at_end(pause)
    _pause(to)
    with to.if_then(to.icmp_signed(">", turns, _int(SPINS))):
        to.call(to.inttoptr(give_way, ir.FunctionType(ir.IntType(32), []).as_pointer()), [])
    turns.add_incoming(to.add(turns, _int(1)), to.block)
    to.branch(spin)
    to.position_at_end(there)


def _pause(to: ir.IRBuilder) -> None:
    """Tells the core that this loop only waits."""
    if to.module.triple.startswith("x86_64"):
        to.call(ir.Function(to.module, ir.FunctionType(VOID, []), "llvm.x86.sse2.pause"), [])
    else:
        number = ir.IntType(32)
        hint = ir.Function(to.module, ir.FunctionType(VOID, [number]), "llvm.aarch64.hint")
        to.call(hint, [ir.Constant(number, 1)])


def _int(number: int) -> ir.Constant:
    return ir.Constant(I64, number)
