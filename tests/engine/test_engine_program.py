"""Programs in use: many threads, a forked child, memory shared in time, a cache that nobody can poison."""

from __future__ import annotations

import copy
import gc
import hashlib
import multiprocessing
import os
import resource
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from engine_world import chain, compare, force, program_of, random_inputs, random_weights, relative_error
from hypothesis import given, settings
from hypothesis import strategies as st

from striate import ops
from striate.bundle import Bundle
from striate.engine import cache
from striate.engine.compiled import KEPT, OutOfBoundsError
from striate.engine.crew import Crew
from striate.engine.index import Index, Memory
from striate.engine.memory import Life, arrange
from striate.engine.network import Network
from striate.engine.program import WORTH_SHARING, Program
from striate.engine.stretch import Stretch
from striate.graph.graph import Graph, Node
from striate.reference import run


def heavy_network() -> Graph:
    """Enough work for several threads, in all kinds of kernels."""
    words = (
        ops.Conv2d(3, 32, 3, 1, 1),
        ops.ReLU(),
        ops.Conv2d(32, 48, 3, 1, 1),
        ops.MaxPool2d(2),
        ops.Conv2d(48, 48, 3, 1, 1, groups=48),
        ops.Conv2d(48, 32, 3, 1, 1),
        ops.AdaptiveAvgPool2d(1),
        ops.Flatten(),
        ops.Linear(32, 10),
    )
    return chain(*words, shape=(3, 40, 40))


@pytest.fixture(scope="module")
def shared() -> tuple[Program, dict[str, np.ndarray], np.ndarray]:
    graph = heavy_network()
    weights, inputs = random_weights(graph), random_inputs(graph, 2)
    program = program_of(graph, weights, threads=2)
    expected = run(graph, weights, inputs)
    assert isinstance(expected, np.ndarray)
    return program, inputs, expected


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_any_number_of_threads(threads: int) -> None:
    program = compare(heavy_network(), 2, threads=threads, limit=3e-6)
    assert program._work * 2 > WORTH_SHARING


def test_sixty_four_threads_call_one_network(
    shared: tuple[Program, dict[str, np.ndarray], np.ndarray],
) -> None:
    program, inputs, expected = shared
    errors: list[float] = []

    def call() -> None:
        (found,) = program(inputs, ("n8",))
        errors.append(relative_error(found, expected))

    threads = [threading.Thread(target=call) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(errors) == 64 and max(errors) < 3e-6


def _child(program: Program, inputs: dict[str, np.ndarray], pipe: object) -> None:
    (found,) = program(inputs, ("n8",))
    program({name: np.full_like(x, 7) for name, x in inputs.items()}, ("n8",))
    pipe.send(found)  # type: ignore[attr-defined]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only systems with fork can fork")
def test_a_forked_child_can_go_on(shared: tuple[Program, dict[str, np.ndarray], np.ndarray]) -> None:
    program, inputs, expected = shared
    program(inputs, ("n8",))
    before = {name: memory.copy() for name, memory in program.buffers.arena.items()}
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=_child, args=(program, inputs, there))
    program._lock.acquire()  # as if another thread were inside just then
    try:
        child.start()
    finally:
        program._lock.release()
    assert here.poll(60)
    assert relative_error(here.recv(), expected) < 3e-6
    child.join(60)
    assert child.exitcode == 0
    for name, memory in program.buffers.arena.items():  # the child computes in memory of its own
        np.testing.assert_array_equal(memory, before[name])


def test_buffers_that_were_half_replaced_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a child finds them that is forked while another thread makes room for a larger batch."""
    graph = heavy_network()
    weights, inputs = random_weights(graph), random_inputs(graph, 2)
    program, one = program_of(graph, weights), {name: x[:1] for name, x in inputs.items()}
    (before,) = program(one, ("n8",))
    with monkeypatch.context() as patch:
        patch.setattr(program, "_address", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            program(inputs, ("n8",))
    (after,) = program(one, ("n8",))
    np.testing.assert_array_equal(after, before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only systems with fork can fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_waits_for_no_thread_that_compiles_in_its_parent() -> None:
    graph = chain(ops.Conv2d(1, 4, 3), ops.Flatten(), shape=(1, 6, 6))
    network = Network(Bundle(graph, random_weights(graph), (), {}, {}), threads=1)
    inside, leave = threading.Event(), threading.Event()

    def compiling() -> None:
        with network._engine._lock:
            inside.set()
            leave.wait(60)

    other = threading.Thread(target=compiling)
    other.start()
    assert inside.wait(60)
    context = multiprocessing.get_context("fork")
    child = context.Process(target=network, args=(random_inputs(graph, 1)["x0"],))
    child.start()
    child.join(60)
    leave.set()
    other.join()
    if child.exitcode is None:
        child.kill()
    assert child.exitcode == 0


def test_a_piece_of_a_batch_at_a_time(
    shared: tuple[Program, dict[str, np.ndarray], np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    program, inputs, expected = shared
    monkeypatch.setattr(program, "at_once", 1)
    (found,) = program(inputs, ("n8",))
    assert relative_error(found, expected) < 3e-6


def test_numbers_that_overflow_leave_no_trace(
    shared: tuple[Program, dict[str, np.ndarray], np.ndarray],
) -> None:
    """Memory that once held NaN is used again, and the next answer is right."""
    program, inputs, expected = shared
    program({"x0": np.full_like(inputs["x0"], np.nan)}, ("n8",))
    (found,) = program(inputs, ("n8",))
    assert relative_error(found, expected) < 3e-6


def test_who_comes_alone_does_the_work_of_all(
    shared: tuple[Program, dict[str, np.ndarray], np.ndarray],
) -> None:
    """A thread takes the others' shares, and whoever comes late finds nothing left and writes nothing."""
    program, inputs, expected = shared
    program({"x0": inputs["x0"][:1]}, ("n8",))
    schedule = copy.deepcopy(program._schedule(1))
    schedule.table[:, -1] = 0  # no shares that each must do itself
    (stretch,) = schedule.stretches
    assert isinstance(stretch, Stretch)
    found = program.buffers.memory("n8")
    found[:] = np.nan
    program._share(schedule, stretch, 1, 2)
    assert relative_error(program.buffers.read("n8", {}, 1), expected[:1]) < 3e-6
    found[:] = np.nan
    program._share(schedule, stretch, 0, 2)
    assert np.isnan(found).all()


def test_the_last_digits_stay_from_call_to_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Winograd's last tiles lie on others, with other roundings, each thread does its own share."""
    force(monkeypatch, 4, lambda scheme: not scheme.mixed)
    graph = chain(*(ops.Conv2d(32, 32, 3, 1, 1) for _ in range(3)), ops.ReLU(), shape=(32, 30, 30))
    program, one = program_of(graph, random_weights(graph), threads=2), random_inputs(graph, 1)
    first = program(one, graph.outputs)[0].copy()
    overlapping = [step.part.kernel.overlaps for step in program._steps]
    hands = program._schedule(1).table[1:, -1]
    assert any(overlapping) and [bool(hand == KEPT) for hand in hands] == overlapping
    for _ in range(30):
        assert np.array_equal(first, program(one, graph.outputs)[0])


def test_ten_thousand_calls_leak_nothing() -> None:
    graph = chain(ops.Conv2d(1, 4, 3), ops.Flatten(), shape=(1, 6, 6))
    program = program_of(graph, random_weights(graph))
    inputs = random_inputs(graph, 1)
    program(inputs, graph.outputs)
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(10_000):
        program(inputs, graph.outputs)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4096  # kilobytes


def test_workers_leave_when_the_crew_is_gone() -> None:
    crew = Crew()
    seen: list[tuple[int, int]] = []
    crew.run(lambda hand, hands: seen.append((hand, hands)), 3)
    assert sorted(seen) == [(0, 3), (1, 3), (2, 3)]
    workers = [thread for thread in threading.enumerate() if thread.name.startswith("striate-")]
    mine = workers[-2:]
    del crew
    gc.collect()
    for thread in mine:
        thread.join(10)
    assert not any(thread.is_alive() for thread in mine)


def test_where_no_thread_can_be_started_the_caller_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    seen: list[tuple[int, int]] = []
    Crew().run(lambda hand, hands: seen.append((hand, hands)), 4)
    assert seen == [(0, 1)]


# --- memory -------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12)
)
def test_buffers_that_live_at_the_same_time_do_not_overlap(rows: list[tuple[int, int, int]]) -> None:
    lives = {f"b{i}": Life(size, min(a, b), max(a, b)) for i, (size, a, b) in enumerate(rows)}
    places, total = arrange(lives)
    for name, life in lives.items():
        assert places[name] % 16 == 0 and places[name] + life.size <= total
        for other, its in lives.items():
            if other != name and life.meets(its):
                assert places[name] + life.size <= places[other] or places[other] + its.size <= places[name]


def test_a_chain_needs_two_maps_not_all() -> None:
    words = [ops.Conv2d(16, 16, 1) for _ in range(6)]
    graph = chain(*words, shape=(16, 32, 32))
    program = program_of(graph, random_weights(graph))
    assert program.plan.arena <= 2 * 16 * 33 * 33


def test_concatenation_costs_nothing() -> None:
    inputs = {"x0": ("N", 16, 6, 6)}
    nodes = [Node("a", ops.Conv2d(16, 32, 1), ("x0",), {"weight": "a.w", "bias": "a.b"})]
    nodes += [Node("b", ops.Conv2d(32, 16, 3, padding=1), ("a",), {"weight": "b.w", "bias": "b.b"})]
    nodes += [Node("ab", ops.Concat(1), ("a", "b"))]
    nodes += [Node("c", ops.Conv2d(48, 16, 3, padding=1), ("ab",), {"weight": "c.w", "bias": "c.b"})]
    nodes += [Node("abc", ops.Concat(1), ("ab", "c"))]
    nodes += [Node("d", ops.Conv2d(64, 5, 1), ("abc",), {"weight": "d.w", "bias": "d.b"})]
    program = compare(Graph(inputs, tuple(nodes), ("d",)), 2)
    assert "move" not in {step.part.kernel.family for step in program.plan.steps}  # type: ignore[union-attr]


# --- bounds -------------------------------------------------------------------------------------------


def test_an_address_outside_is_refused_while_code_is_written() -> None:
    memory = Memory(None, 16, "test")
    memory.reach(0, 16)
    for low, end in ((-1, 4), (0, 17), (16, 17)):
        with pytest.raises(OutOfBoundsError, match="test has items 0 to 15"):
            memory.reach(low, end)
    assert Index(None, 2, 5).low == 2


def test_a_buffer_of_another_size_is_refused() -> None:
    graph = heavy_network()
    program = program_of(graph, random_weights(graph))
    for step in program._steps:
        constants = step.part.constants
        constants.update({name: array[:-1] for name, array in constants.items()})  # type: ignore[attr-defined]
    with pytest.raises(OutOfBoundsError, match="another size than its buffer"):
        program(random_inputs(graph, 1), graph.outputs)


# --- the cache ----------------------------------------------------------------------------------------


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))
    cache.write("a" * 64, b"code")
    assert cache.read("a" * 64) == b"code"
    return tmp_path / "kernels"


def _spoil(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda folder: (
        (folder / ("a" * 64)).write_bytes(change((folder / ("a" * 64)).read_bytes())) and None
    )


ATTACKS: dict[str, Callable[[Path], object]] = {
    "cut short": _spoil(lambda content: content[:-1]),
    "empty": _spoil(lambda content: b""),
    "one bit": _spoil(lambda content: content[:-1] + bytes([content[-1] ^ 1])),
    "other code with its own hash": _spoil(lambda content: hashlib.sha256(b"evil").digest() + b"evil"),
    "folder open to others": lambda folder: folder.chmod(0o777),
    "folder readable by others": lambda folder: folder.chmod(0o755),
    "file writable by others": lambda folder: (folder / ("a" * 64)).chmod(0o666),
    "file is a folder": lambda folder: ((folder / ("a" * 64)).unlink(), (folder / ("a" * 64)).mkdir()),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_spoiled_code_is_ignored(own_cache: Path, attack: str) -> None:
    ATTACKS[attack](own_cache)
    assert cache.read("a" * 64) is None


def test_a_folder_behind_a_link_is_ignored(own_cache: Path) -> None:
    elsewhere = own_cache.parent / "elsewhere"
    own_cache.rename(elsewhere)
    own_cache.symlink_to(elsewhere)
    assert cache.read("a" * 64) is None
    cache.write("b" * 64, b"more")
    assert not (elsewhere / ("b" * 64)).exists()


def test_code_of_another_name_is_ignored(own_cache: Path) -> None:
    (own_cache / ("c" * 64)).write_bytes((own_cache / ("a" * 64)).read_bytes())
    assert cache.read("c" * 64) is None


def test_a_network_with_a_spoiled_cache_is_built_again(own_cache: Path) -> None:
    graph = chain(ops.Conv2d(3, 4, 3), shape=(3, 6, 6))
    compare(graph)
    files = [path for path in own_cache.iterdir() if path.name != "a" * 64]
    assert files
    for path in files:
        path.write_bytes(b"\x00" * 100)
    compare(graph)


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(cache.FOLDER, str(tmp_path / "file"))
    compare(chain(ops.Conv2d(3, 4, 3), shape=(3, 6, 6)))
