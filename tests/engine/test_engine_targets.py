"""The same kernels on narrower vectors, executed where this machine can, and as assembly where it cannot."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from engine_world import chain, compare, random_weights

from striate import ops
from striate.engine.choose import Settings
from striate.engine.machine_code import assembly
from striate.engine.plan import Step, make_plan
from striate.engine.target import CHOICE, LEVELS, host, usable
from striate.errors import UnsupportedError
from striate.graph.graph import Graph

WORDS = (
    ops.Conv2d(3, 20, 5, 2, 2),
    ops.HardSwish(),
    ops.Conv2d(20, 20, 3, padding=1),
    ops.ReLU(),
    ops.Conv2d(20, 20, 3, padding=1, groups=20),
    ops.GELU(),
    ops.MaxPool2d(3, 2, 1),
    ops.Conv2d(20, 24, 3, padding=1, groups=2),
    ops.Sigmoid(),
    ops.AvgPool2d(2, ceil_mode=True),
    ops.Conv2d(24, 13, 1),
    ops.Tanh(),
    ops.AdaptiveAvgPool2d(1),
    ops.Flatten(),
    ops.Linear(13, 7),
)


def small_network() -> Graph:
    return chain(*WORDS, shape=(3, 37, 29))


@pytest.mark.parametrize("name", ["avx512", "avx2", "sse", "neon"])
def test_a_network_on_every_level_that_this_machine_has(name: str) -> None:
    if name not in usable():
        kernels = make_plan(
            small_network(), random_weights(small_network()), {"x0": ("N", 3, 37, 29)}, Settings(LEVELS[name])
        )
        assert all(
            assembly(step.part.kernel.emit(LEVELS[name]), LEVELS[name])
            for step in kernels.steps
            if isinstance(step, Step)
        )
        return
    compare(small_network(), 2, target=LEVELS[name], limit=3e-6)


def test_neon_multiplies_and_adds_vectors_of_four() -> None:
    neon = LEVELS["neon"]
    graph = chain(ops.Conv2d(16, 16, 1), shape=(16, 8, 8))
    plan = make_plan(graph, random_weights(graph), {"x0": ("N", 16, 8, 8)}, Settings(neon))
    (step,) = plan.steps
    assert isinstance(step, Step)
    text = assembly(step.part.kernel.emit(neon), neon)
    assert text.count("fmla\t") > 4 * 8 and ".4s" in text


def test_avx2_code_has_no_wider_register() -> None:
    narrow = LEVELS["avx2"]
    graph = chain(ops.Conv2d(16, 16, 3, padding=1), ops.SiLU(), shape=(16, 8, 8))
    plan = make_plan(graph, random_weights(graph), {"x0": ("N", 16, 8, 8)}, Settings(narrow, exact=True))
    texts = [assembly(s.part.kernel.emit(narrow), narrow) for s in plan.steps if isinstance(s, Step)]
    assert any("ymm" in text for text in texts) and not any("zmm" in text for text in texts)


def test_avx512_adds_and_multiplies_in_the_widest_registers() -> None:
    wide = LEVELS["avx512"]
    graph = chain(ops.Conv2d(16, 16, 3, padding=1), shape=(16, 8, 8))
    plan = make_plan(graph, random_weights(graph), {"x0": ("N", 16, 8, 8)}, Settings(wide, exact=True))
    texts = [assembly(s.part.kernel.emit(wide), wide) for s in plan.steps if isinstance(s, Step)]
    (sums,) = [text for text in texts if "vfmadd" in text]
    widest = [line for line in sums.splitlines() if "vfmadd" in line and "zmm" in line]
    assert len(widest) >= 8


@pytest.mark.parametrize("level", ["avx512", "avx2"])
@pytest.mark.parametrize(
    "word",
    [ops.Conv2d(64, 128, 3, padding=1), ops.Conv2d(128, 128, 1), ops.Conv2d(256, 512, 1, 2)],
    ids=["direct", "matrix", "packed"],
)
def test_no_sum_leaves_its_register(word: ops.Conv2d, level: str) -> None:
    """In the innermost loop, with the most multiply-adds, no vector goes to the stack, or a weight or two."""
    machine = LEVELS[level]
    graph = chain(word, shape=(word.in_channels, 28, 28))
    inputs = {"x0": ("N", *graph.inputs["x0"][1:])}
    plan = make_plan(graph, random_weights(graph), inputs, Settings(machine, exact=True))
    (kernel,) = [step.part.kernel for step in plan.steps if isinstance(step, Step) and step.covers[0] == "n0"]
    parts = re.split(r"^(?=\.LBB)", assembly(kernel.emit(machine), machine), flags=re.MULTILINE)
    loop = max(parts, key=lambda part: part.count("vfmadd"))
    assert loop.count("vfmadd") > 40
    assert len(re.findall(r"vmov\w+\s+%[yz]mm\d+, \S*\(%r[sb]p\)", loop)) <= (0 if level == "avx512" else 3)


def test_sse_code_needs_nothing_newer() -> None:
    old = LEVELS["sse"]
    graph = chain(ops.Conv2d(16, 16, 3, padding=1), ops.SiLU(), shape=(16, 8, 8))
    plan = make_plan(graph, random_weights(graph), {"x0": ("N", 16, 8, 8)}, Settings(old))
    texts = [assembly(s.part.kernel.emit(old), old) for s in plan.steps if isinstance(s, Step)]
    assert any("mulps" in text for text in texts)
    assert not any("ymm" in text or "vfmadd" in text or "\tvmulps" in text for text in texts)


def test_the_environment_asks_for_less_never_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CHOICE, usable()[-1])
    assert host().name == usable()[-1]
    monkeypatch.setenv(CHOICE, "avx1024")
    with pytest.raises(UnsupportedError, match=r"STRIATE_TARGET must be one of .*, got 'avx1024'"):
        host()


CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from test_engine_targets import compare, small_network
compare(small_network(), 1, limit=3e-6, threads=2)
"""


@pytest.mark.parametrize("name", usable())
def test_a_process_told_to_use_fewer_features(name: str) -> None:
    folder = os.path.dirname(__file__)  # noqa: PTH120
    environment = {**os.environ, CHOICE: name}
    subprocess.run([sys.executable, "-c", CHILD, folder], env=environment, check=True, timeout=120)
