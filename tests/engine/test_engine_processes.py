"""Other processes and other threads: a spawned child, a shared cache and a kill, and the GIL."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from engine_world import chain, program_of, random_inputs, random_weights

from striate import ops
from striate.engine import cache

CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from test_engine_program import compare, heavy_network
print("begun", flush=True)
for turn in range(int(sys.argv[2])):
    compare(heavy_network(), 1, limit=3e-6, threads=2)
print("right", flush=True)
"""


def child(folder: Path, turns: int = 1) -> subprocess.Popen[str]:
    environment = {**os.environ, cache.FOLDER: str(folder)}
    words = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(turns)]
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)


def test_two_processes_share_a_cache_and_one_is_killed(tmp_path: Path) -> None:
    """Killed while it writes: the other answers right, nothing half written is read, the next starts well."""
    killed, other = child(tmp_path, 10_000), child(tmp_path)
    assert killed.stdout is not None and killed.stdout.readline() == "begun\n"
    deadline = time.monotonic() + 120
    while not any((tmp_path / "kernels").glob("*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.kill()  # in the middle of building: its first kernels lie in the cache
    assert killed.wait(60) != 0
    killed.stdout.close()
    said, _ = other.communicate(timeout=300)
    assert other.returncode == 0 and said.endswith("right\n")
    for path in (tmp_path / "kernels").iterdir():
        half_written = path.name.startswith(".")
        assert half_written or len(path.read_bytes()) > 32
    after = child(tmp_path)
    said, _ = after.communicate(timeout=300)
    assert after.returncode == 0 and said.endswith("right\n")


SPAWNED = """
import multiprocessing, sys
sys.path.insert(0, sys.argv[1])
from test_engine_program import compare, heavy_network

def work(threads):
    compare(heavy_network(), 1, limit=3e-6, threads=threads)
    return threads

if __name__ == "__main__":
    work(2)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(work, [1, 2]) == [1, 2]
    print("right")
"""


def test_a_spawned_child_answers_too(tmp_path: Path) -> None:
    script = tmp_path / "spawned.py"
    script.write_text(SPAWNED)
    done = subprocess.run(
        [sys.executable, str(script), str(Path(__file__).parent)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stdout == "right\n", done.stderr


def test_other_threads_go_on_while_the_network_works() -> None:
    """The GIL is free during a call: another thread counts on inside of it."""
    graph = chain(*(ops.Conv2d(64, 64, 3, padding=1) for _ in range(6)), shape=(64, 96, 96))
    program = program_of(graph, random_weights(graph))
    inputs = random_inputs(graph, 2)
    program(inputs, graph.outputs)
    steps, counted = [0], threading.Event()
    original = program._drive

    def drive(*arguments: object) -> None:
        before = steps[0]
        original(*arguments)
        seen.append(steps[0] - before)

    def count() -> None:
        counted.set()
        while counted.is_set():
            steps[0] += 1
            time.sleep(0)  # gives the GIL back, of its own will

    seen: list[int] = []
    program._drive = drive
    counter = threading.Thread(target=count)
    counter.start()
    assert counted.wait(10)
    before = sys.getswitchinterval()
    sys.setswitchinterval(60)  # nobody is made to give the GIL away: what is counted, was counted without us
    try:
        program(inputs, graph.outputs)
    finally:
        sys.setswitchinterval(before)
        counted.clear()
        counter.join()
    assert sum(seen) > 10


@pytest.mark.long
def test_a_network_with_kernels_leaks_nothing() -> None:
    """10,000 calls of several images, in NumPy arrays that come and go."""
    import gc
    import resource

    graph = chain(ops.Conv2d(3, 16, 3, padding=1), ops.ReLU(), ops.Conv2d(16, 8, 3), shape=(3, 10, 10))
    program = program_of(graph, random_weights(graph), threads=2)
    for count in (1, 5):
        program(random_inputs(graph, count), graph.outputs)
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for turn in range(10_000):
        (found,) = program(random_inputs(graph, 1 + turn % 5), graph.outputs)
    assert found.shape[0] == 5 and np.isfinite(found).all()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8192  # kilobytes
