"""The one function that every thread calls, once for a whole stretch of network: it runs all steps in order.

    void drive(int64 (*)[8]: steps, count, images, thread, threads, scratch, meeting, yield)

Each step is seven numbers: entry, buffers, units, whole batch, wait, images (0: those of the call), hand.
Each thread has a share of the units and takes it piece by piece; who is done with its own takes pieces of the
others', so that nobody waits for a thread that comes late, or whose core is slow. All units of a step whose
``hand`` is n are the n-th thread's. Where it is ``KEPT`` each thread does its share and no more: two units
write some outputs, and which of them is the last must not change from call to call. Where ``wait`` is set,
nobody goes on before all units up to there are done. Who waits spins for microseconds and then offers the
processor to others, since the thread it waits for may need exactly this core. Where fewer threads came than
were thought of, each is several hands. ``meeting``
(``entry.meeting_size``) holds how many units are done, how many threads have left, and how many of each share
of each step are taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from striate.engine.compiled import DRIVER, FIELDS, KEPT
from striate.engine.emit import I64, POINTER, VOID, module
from striate.engine.entry import ALIGNED, LINE
from striate.engine.machine_code import kept_code
from striate.engine.target import Target
from striate.engine.volatile import VolatileStore

SPINS = 2000  # turns before the first yield
PIECES = 8  # of a thread's share
KERNEL = ir.FunctionType(VOID, [POINTER, I64, I64, I64, POINTER])


def driver(target: Target) -> bytes:
    """Its object code."""
    return kept_code(DRIVER, target, _module)


def _module(target: Target) -> ir.Module:
    mod = module(target)
    shares = _shares(mod)
    function = ir.Function(mod, ir.FunctionType(VOID, [POINTER]), DRIVER)
    to = ir.IRBuilder(function.append_basic_block("entry"))
    count, images, thread, threads, give_way = (
        to.load(to.gep(function.args[0], [_int(number)], source_etype=I64), typ=I64)
        for number in (1, 2, 3, 4, 7)
    )
    steps, scratch, meeting = (
        to.load(to.gep(function.args[0], [_int(number)], source_etype=I64), typ=POINTER)
        for number in (0, 5, 6)
    )
    turn, done = function.append_basic_block("turn"), function.append_basic_block("done")
    start, several = to.block, to.icmp_signed(">", threads, _int(1))
    apart = to.and_(to.add(count, _int(ALIGNED)), _int(-LINE))
    made = to.alloca(I64)
    to.branch(turn)
    to.position_at_end(turn)
    step, before = to.phi(I64, "step"), to.phi(I64, "before")

    def field(number: int) -> Any:
        place = to.add(to.mul(step, _int(FIELDS)), _int(number))
        return to.load(to.gep(steps, [place], source_etype=I64), typ=I64)

    units, whole, own, hand = field(2), to.icmp_signed("!=", field(3), _int(0)), field(5), field(6)
    seen = to.select(to.icmp_signed("==", own, _int(0)), images, own)
    total = to.select(whole, units, to.mul(units, seen))
    code, buffers = field(0), to.inttoptr(field(1), POINTER)
    free = to.icmp_signed("==", hand, _int(0))
    mine = to.icmp_signed("==", to.srem(to.sub(hand, _int(1)), threads), thread)
    kept = to.icmp_signed("==", hand, _int(KEPT))
    low, high = (to.udiv(to.mul(total, part), threads) for part in (thread, to.add(thread, _int(1))))
    first, last = to.select(kept, low, _int(0)), to.select(kept, high, total)
    takes = to.and_(to.or_(to.or_(free, mine), kept), to.icmp_signed(">", last, first))
    to.store(_int(0), made)
    with to.if_else(to.and_(free, several)) as (shared, alone):
        with shared:
            counters = to.gep(meeting, [to.add(step, _int(LINE))], source_etype=I64)
            given = code, buffers, total, seen, scratch, counters, apart, thread, threads
            to.store(to.call(shares, given), made)
        with alone, to.if_then(takes):
            _call(to, code, [buffers, first, last, seen, scratch])
            to.store(to.sub(last, first), made)
    now = to.add(before, total)
    with to.if_then(several):
        to.atomic_rmw("add", meeting, to.load(made, typ=I64), "acq_rel")
        with to.if_then(to.icmp_signed("!=", field(4), _int(0))):
            wait_while(to, lambda: to.icmp_signed("<", _counted(to, meeting), now), give_way)
    following = to.add(step, _int(1))
    for phi, first, later in ((step, _int(0), following), (before, _int(0), now)):
        phi.add_incoming(first, start)
        phi.add_incoming(later, to.block)
    to.cbranch(to.icmp_signed("<", following, count), turn, done)
    to.position_at_end(done)
    with to.if_then(several):
        _leave(to, meeting, apart, threads)
    to.ret_void()
    return mod


def _leave(to: ir.IRBuilder, meeting: Any, apart: Any, threads: Any) -> None:
    """The last thread leaves all counters as they were. Volatile: LLVM would call the C library's memset."""
    left = to.atomic_rmw("add", to.gep(meeting, [_int(1)], source_etype=I64), _int(1), "acq_rel")
    with to.if_then(to.icmp_signed("==", left, to.sub(threads, _int(1)))):
        size, before = to.add(_int(LINE), to.mul(threads, apart)), to.block
        clear, clean = to.append_basic_block("clear"), to.append_basic_block("clean")
        to.branch(clear)
        to.position_at_end(clear)
        place = to.phi(I64)
        place.add_incoming(_int(0), before)
        store = VolatileStore(to.block, _int(0), to.gep(meeting, [place], source_etype=I64))
        store.align = 8
        to._insert(store)
        following = to.add(place, _int(1))
        place.add_incoming(following, clear)
        to.cbranch(to.icmp_signed("<", following, size), clear, clean)
        to.position_at_end(clean)


def _shares(mod: ir.Module) -> ir.Function:
    """Takes pieces of a step's units, first of the thread's own share; gives how many units they were.

    ``counters``: how many units of each share are taken, so far ``apart``.
    """
    kind = ir.FunctionType(I64, [I64, POINTER, I64, I64, POINTER, POINTER, I64, I64, I64])
    function = ir.Function(mod, kind, f"{DRIVER}_shares")
    function.linkage = "internal"
    code, buffers, total, images, scratch, counters, apart, thread, threads = function.args
    to = ir.IRBuilder(function.append_basic_block("entry"))
    share, piece, work, following, done = (
        function.append_basic_block(name) for name in ("share", "piece", "work", "following", "done")
    )
    start = to.block
    to.branch(share)
    to.position_at_end(share)
    number, made_before = to.phi(I64), to.phi(I64)
    whose = to.urem(to.add(thread, number), threads)
    low, high = (to.udiv(to.mul(total, part), threads) for part in (whose, to.add(whose, _int(1))))
    part = to.udiv(to.sub(high, low), _int(PIECES))
    size = to.select(to.icmp_signed(">", part, _int(1)), part, _int(1))
    counter = to.gep(counters, [to.mul(whose, apart)], source_etype=I64)
    to.branch(piece)
    to.position_at_end(piece)
    made = to.phi(I64)
    made.add_incoming(made_before, share)
    first = to.add(low, to.atomic_rmw("add", counter, size, "acq_rel"))
    to.cbranch(to.icmp_signed("<", first, high), work, following)
    to.position_at_end(work)
    end = to.add(first, size)
    last = to.select(to.icmp_signed("<", end, high), end, high)
    _call(to, code, [buffers, first, last, images, scratch])
    made.add_incoming(to.add(made, to.sub(last, first)), to.block)
    to.branch(piece)
    to.position_at_end(following)
    other = to.add(number, _int(1))
    for phi, one, later in ((number, _int(0), other), (made_before, _int(0), made)):
        phi.add_incoming(one, start)
        phi.add_incoming(later, following)
    to.cbranch(to.icmp_signed("<", other, threads), share, done)
    to.position_at_end(done)
    to.ret(made)
    return function


def _counted(to: ir.IRBuilder, meeting: Any) -> Any:
    return to.load_atomic(meeting, "acquire", 8, typ=I64)


def _call(to: ir.IRBuilder, code: Any, arguments: list[Any]) -> None:
    to.call(to.inttoptr(code, KERNEL.as_pointer()), arguments)


def wait_while(to: ir.IRBuilder, still: Callable[[], Any], give_way: Any) -> None:
    """Until ``still``, written anew for every turn, is false."""
    before, spin = to.block, to.append_basic_block("spin")
    idle, there = to.append_basic_block("idle"), to.append_basic_block("there")
    to.branch(spin)
    to.position_at_end(spin)
    turns = to.phi(I64)
    turns.add_incoming(_int(0), before)
    to.cbranch(still(), idle, there)
    to.position_at_end(idle)
    pause(to)
    with to.if_then(to.icmp_signed(">", turns, _int(SPINS))):
        to.call(to.inttoptr(give_way, ir.FunctionType(ir.IntType(32), []).as_pointer()), [])
    turns.add_incoming(to.add(turns, _int(1)), to.block)
    to.branch(spin)
    to.position_at_end(there)


def pause(to: ir.IRBuilder) -> None:
    """Tells the core that this loop only waits."""
    known, number = to.module.globals, ir.IntType(32)
    if to.module.triple.startswith("x86_64"):
        name, kinds, arguments = "llvm.x86.sse2.pause", [], []
    else:
        name, kinds, arguments = "llvm.aarch64.hint", [number], [ir.Constant(number, 1)]
    hint = known.get(name) or ir.Function(to.module, ir.FunctionType(VOID, kinds), name)
    to.call(hint, arguments)


def _int(number: int) -> ir.Constant:
    return ir.Constant(I64, number)
