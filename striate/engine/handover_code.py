"""The machine code of ``handover``: a worker at its mailbox, and a caller who fills all mailboxes or none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from striate.engine.drive import pause, wait_while
from striate.engine.emit import I32, I64, POINTER, VOID, module
from striate.engine.handover import ASLEEP, ATTEND, CLAIMED, HAND_OVER, WAITING
from striate.engine.target import Target

HEAD = 4  # numbers of what ``hand_over`` is told, before the pairs
DRIVE, GIVE_WAY = ir.FunctionType(VOID, [POINTER]), ir.FunctionType(I32, [])


def handover_module(target: Target) -> ir.Module:
    mod = module(target)
    _attend(mod)
    _hand_over(mod)
    return mod


def _attend(mod: ir.Module) -> None:
    function = ir.Function(mod, ir.FunctionType(VOID, [POINTER, I64, I64, I64]), ATTEND)
    box, drive, turns, give_way = function.args
    entry, look, idle, rest, late, claimed, work, leave = (
        function.append_basic_block(name)
        for name in ("entry", "look", "idle", "rest", "late", "claimed", "work", "leave")
    )
    to = ir.IRBuilder(entry)
    to.branch(look)
    to.position_at_end(look)
    turn = to.phi(I64)
    turn.add_incoming(_int(0), entry)
    found = to.load_atomic(box, "acquire", 8, typ=I64)
    cases = to.switch(found, work)
    for value, block in ((ASLEEP, leave), (WAITING, idle), (CLAIMED, claimed)):
        cases.add_case(_int(value), block)
    to.position_at_end(claimed)
    pause(to)
    turn.add_incoming(turn, to.block)
    to.branch(look)
    to.position_at_end(idle)
    to.cbranch(to.icmp_signed("<", turn, turns), rest, late)
    to.position_at_end(rest)
    pause(to)
    _call(to, give_way, GIVE_WAY, [])
    turn.add_incoming(to.add(turn, _int(1)), to.block)
    to.branch(look)
    to.position_at_end(late)
    told = to.cmpxchg(box, _int(WAITING), _int(ASLEEP), "acq_rel", "acquire")
    turn.add_incoming(turn, to.block)
    to.cbranch(to.extract_value(told, 1), leave, look)
    to.position_at_end(work)
    _call(to, drive, DRIVE, [to.inttoptr(found, POINTER)])
    _leave_there(to, box, _int(WAITING))
    turn.add_incoming(_int(0), to.block)
    to.branch(look)
    to.position_at_end(leave)
    to.ret_void()


def _hand_over(mod: ir.Module) -> None:
    function = ir.Function(mod, ir.FunctionType(I64, [POINTER]), HAND_OVER)
    to = ir.IRBuilder(function.append_basic_block("entry"))
    (told,) = function.args

    def number(place: Any) -> Any:
        return to.load(to.gep(told, [place], source_etype=I64), typ=I64)

    def pair(worker: Any) -> tuple[Any, Any]:
        """Where a worker's mailbox is, and what goes into it."""
        first = to.add(to.mul(worker, _int(2)), _int(HEAD))
        return to.inttoptr(number(first), POINTER), number(to.add(first, _int(1)))

    drive, give_way, workers, own = (number(_int(place)) for place in range(HEAD))
    taken, missing = function.append_basic_block("taken"), function.append_basic_block("missing")
    with _every(to, workers) as worker:
        claim = to.cmpxchg(pair(worker)[0], _int(WAITING), _int(CLAIMED), "acq_rel", "acquire")
        following = function.append_basic_block("claimed")
        to.cbranch(to.extract_value(claim, 1), following, missing)
        to.position_at_end(following)
    to.branch(taken)
    to.position_at_end(missing)  # whoever waits goes, and is woken as those who sleep
    with _every(to, workers) as worker:
        to.atomic_rmw("xchg", pair(worker)[0], _int(ASLEEP), "acq_rel")
    to.ret(_int(0))
    to.position_at_end(taken)
    with _every(to, workers) as worker:
        box, block = pair(worker)
        _leave_there(to, box, block)
    _call(to, drive, DRIVE, [to.inttoptr(own, POINTER)])
    with _every(to, workers) as worker:
        box, block = pair(worker)
        wait_while(
            to, lambda: to.icmp_signed("==", to.load_atomic(box, "acquire", 8, typ=I64), block), give_way
        )
    to.ret(_int(1))


@contextmanager
def _every(to: ir.IRBuilder, workers: Any) -> Iterator[Any]:
    """A loop over all workers; within it, the number of one."""
    before, head = to.block, to.append_basic_block("every")
    body, end = to.append_basic_block("one"), to.append_basic_block("all")
    to.branch(head)
    to.position_at_end(head)
    worker = to.phi(I64)
    worker.add_incoming(_int(0), before)
    to.cbranch(to.icmp_signed("<", worker, workers), body, end)
    to.position_at_end(body)
    yield worker
    worker.add_incoming(to.add(worker, _int(1)), to.block)
    to.branch(head)
    to.position_at_end(end)


def _leave_there(to: ir.IRBuilder, box: Any, value: Any) -> None:
    """A store; llvmlite has no atomic one for pointers without a type."""
    to.atomic_rmw("xchg", box, value, "acq_rel")


def _call(to: ir.IRBuilder, address: Any, kind: ir.FunctionType, arguments: list[Any]) -> None:
    to.call(to.inttoptr(address, kind.as_pointer()), arguments)


def _int(number: int) -> ir.Constant:
    return ir.Constant(I64, number)
