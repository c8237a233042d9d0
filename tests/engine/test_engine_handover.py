"""Threads that wait in machine code: all of them are taken or none, and answers are those of one thread."""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import threading
import time
from functools import partial

import numpy as np
import pytest
from engine_world import chain, host_target, program_of, random_inputs, random_weights

from striate import ops
from striate.engine.crew import Crew
from striate.engine.handover import ASLEEP, WAITING, Handover, mailbox
from striate.engine.program import WORTH_HANDING, WORTH_SHARING, Program
from striate.engine.short import QUICK, SharedCall, SmallCall

DRIVE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Counted:
    """A ``drive`` that notes what it was told."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self.function = DRIVE(lambda block: self.told.append(ctypes.c_int64.from_address(block).value))
        self.address = ctypes.cast(self.function, ctypes.c_void_p).value or 0


def blocks_of(count: int) -> list[ctypes.Array[ctypes.c_int64]]:
    return [(ctypes.c_int64 * 8)(number) for number in range(count)]


def waiting(crew: Crew, hands: int) -> None:
    """Call the workers up: they have done nothing yet, and wait."""
    crew.run(lambda hand, of: None, hands)


@pytest.mark.parametrize("hands", [2, 3, 5])
def test_who_waits_is_given_work_and_all_of_it_is_done_on_return(hands: int) -> None:
    counted = Counted()
    crew = Crew(partial(Handover, host_target(), counted.address))
    assert crew.hired(hands) == hands
    call = SharedCall(crew, DRIVE(counted.address), blocks_of(hands), None)
    for _ in range(300):
        before = len(counted.told)
        if not call.handed():
            assert len(counted.told) == before  # nobody has begun
            call()
        assert sorted(counted.told[before:]) == list(range(hands))


def test_who_sleeps_is_not_taken_and_those_who_wait_beside_him_go() -> None:
    counted = Counted()
    crew = Crew(partial(Handover, host_target(), counted.address))
    assert crew.hired(3) == 3
    call = SharedCall(crew, DRIVE(counted.address), blocks_of(3), None)
    boxes = crew._post.mailboxes
    boxes[0][0] = WAITING  # the second sleeps: it was never called
    assert not call.handed()
    assert boxes[0][0] == ASLEEP
    assert not counted.told


def test_a_worker_that_waits_in_vain_sleeps() -> None:
    counted = Counted()
    handover, box = Handover(host_target(), counted.address), mailbox()
    box[0] = WAITING
    handover.attend(box)  # comes back
    assert box[0] == ASLEEP
    assert not counted.told


def test_a_job_finds_workers_that_wait_for_other_work() -> None:
    counted = Counted()
    crew = Crew(partial(Handover, host_target(), counted.address))
    seen: list[int] = []
    for _ in range(100):
        crew.run(lambda hand, of: seen.append(hand), 3)
    assert sorted(seen) == sorted([0, 1, 2] * 100)
    assert not counted.told


def small_network() -> tuple[Program, Program, np.ndarray]:
    graph = chain(
        ops.Conv2d(3, 16, 3, 1, 1),
        ops.ReLU(),
        ops.MaxPool2d(2),
        ops.Conv2d(16, 32, 3, 1, 1),
        ops.Flatten(),
        ops.Linear(32 * 100, 10),
        shape=(3, 20, 20),
    )
    weights = random_weights(graph)
    one, two = (program_of(graph, weights, threads=threads) for threads in (1, 2))
    return one, two, random_inputs(graph, 10)["x0"]


def test_a_small_network_shares_its_work_once_calls_follow_each_other() -> None:
    one, two, x = small_network()
    assert WORTH_HANDING <= two._work * len(x) < WORTH_SHARING
    expected = one.answer(x)[0]
    for _ in range(20 * QUICK):
        assert np.array_equal(two.answer(x)[0], expected)
    call = two._shorts[len(x)].run  # type: ignore[union-attr]
    assert isinstance(call, SmallCall)
    waiting(call._shared.crew, 2)
    end = time.monotonic() + 20
    while not call._shared.handed():  # a busy machine may let them fall asleep before we look
        waiting(call._shared.crew, 2)
        assert time.monotonic() < end
    assert np.array_equal(two.answer(x)[0], expected)


def test_many_callers_of_a_small_network() -> None:
    one, two, x = small_network()
    expected, wrong = one.answer(x)[0], []

    def call() -> None:
        for _ in range(100):
            if not np.array_equal(two.answer(x)[0], expected):
                wrong.append(1)

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_machine_code_is_made_for_other_processors() -> None:
    """Arm's has no pause, but a hint; atomic operations of both are LLVM's."""
    from striate.engine.handover_code import handover_module
    from striate.engine.machine_code import assembly
    from striate.engine.target import LEVELS

    text = assembly(handover_module(LEVELS["neon"]), LEVELS["neon"])
    assert "yield" in text
    assert "striate_attend" in text


def test_a_forked_child_has_workers_of_its_own() -> None:
    one, two, x = small_network()
    x = np.concatenate([x] * 4)
    assert two._work * len(x) >= WORTH_SHARING
    expected = one.answer(x)[0]
    for _ in range(3):
        assert np.array_equal(two.answer(x)[0], expected)
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=lambda: answers.put([two.answer(x)[0], two.answer(x)[0]]))
    child.start()
    child.join(60)
    alive = child.is_alive()
    if alive:
        child.kill()
    assert not alive and child.exitcode == 0
    for found in answers.get():
        assert np.array_equal(found, expected)


def test_a_call_after_an_interrupt() -> None:
    """SIGINT at any step of a call: the next call answers."""
    one, two, x = small_network()
    x = np.concatenate([x] * 4)
    expected, main, ended = one.answer(x)[0], threading.main_thread(), threading.Event()

    def interrupt() -> None:
        for number in range(60):
            time.sleep(0.002 + 0.0003 * (number % 7))
            if not ended.is_set():
                signal.pthread_kill(main.ident or 0, signal.SIGINT)
        ended.set()

    def raise_inside(number: int, frame: object) -> None:
        if inside:
            inside.clear()
            raise KeyboardInterrupt

    inside: list[int] = []
    interrupted, sender = 0, threading.Thread(target=interrupt)
    before = signal.signal(signal.SIGINT, raise_inside)
    try:
        sender.start()
        while not ended.is_set():
            try:
                inside.append(1)
                two.answer(x)
                inside.clear()
            except KeyboardInterrupt:
                interrupted += 1
            time.sleep(0.0007)  # others fall asleep, and are woken by the next call
        sender.join()
    finally:
        ended.set()
        signal.signal(signal.SIGINT, before)
    assert interrupted > 5
    assert np.array_equal(two.answer(x)[0], expected)
