"""Products of bf16 only where the processor has them and they pay; what the machine's check says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from dots_world import INSTRUCTION, MACHINE, WITH
from engine_world import chain, random_weights

from striate import ops
from striate.bundle import Bundle
from striate.engine import Network, cache, target, trial, trust
from striate.engine.choose import Settings
from striate.engine.kernels.storage import DOTS, EXPECTED_OF_DOTS
from striate.engine.machine_code import assembly
from striate.engine.plan import Step, make_plan
from striate.engine.target import LEVELS, Target, host
from striate.graph.graph import Graph
from striate.reference import run

WINDOW = ops.Conv2d(128, 128, 3, padding=1)
BLOCK = (ops.MaxPool2d(2), ops.Conv2d(256, 128, 1), ops.ReLU(), WINDOW, ops.ReLU(), ops.Conv2d(128, 256, 1))


def storages(precision: str, graph: Graph) -> dict[str, set[str]]:
    """Of each node with weights: how those of its steps are."""
    plan = make_plan(graph, random_weights(graph), graph.inputs, Settings(MACHINE, precision=precision))
    found: dict[str, set[str]] = {}
    for step in plan.steps:
        assert isinstance(step, Step)
        if step.covers:
            name = step.covers[0]
        if step.part.constants:
            found.setdefault(name, set()).add(step.part.kernel.storage)
    return found


def test_products_of_pixels_are_halved_and_windows_are_left_to_winograd() -> None:
    graph = chain(*BLOCK, shape=(256, 56, 56))
    assert storages("bf16", graph) == {"n1": {DOTS.name}, "n3": {"fp32"}, "n5": {DOTS.name}}
    assert set().union(*storages("fp32", graph).values()) == {"fp32"}


def test_windows_that_skip_pixels_are_halved() -> None:
    """Winograd's form of those saves less."""
    graph = chain(ops.MaxPool2d(2), ops.Conv2d(256, 256, 3, 2, padding=1), shape=(256, 56, 56))
    assert storages("bf16", graph) == {"n1": {DOTS.name}}


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_without_the_instruction_never_has_it(level: str) -> None:
    graph = chain(*BLOCK, shape=(256, 28, 28))
    plan = make_plan(graph, random_weights(graph), graph.inputs, Settings(LEVELS[level], precision="bf16"))
    for step in plan.steps:
        assert isinstance(step, Step) and step.part.kernel.storage == "fp32"
        text = assembly(step.part.kernel.emit(LEVELS[level]), LEVELS[level])  # type: ignore[union-attr]
        assert INSTRUCTION not in text and "2bf16" not in text and "bfdot" not in text


def test_float32_networks_do_not_know_of_it() -> None:
    graph = chain(*BLOCK, shape=(256, 28, 28))
    symbols: list[list[str]] = []
    for machine in (MACHINE, replace(MACHINE, dots=False)):
        plan = make_plan(graph, random_weights(graph), graph.inputs, Settings(machine))
        symbols.append([step.part.kernel.symbol for step in plan.steps if isinstance(step, Step)])
    assert symbols[0] == symbols[1]


def test_programs_with_and_without_it_have_other_names() -> None:
    names = {cache.key("program", machine) for machine in (WITH, replace(WITH, dots=False), LEVELS["avx512"])}
    assert len(names) == 3


def test_the_host_has_it_where_its_best_level_does(monkeypatch: pytest.MonkeyPatch) -> None:
    features = dict.fromkeys(("avx512f", "avx512vl", "avx512dq", "avx512bw", "avx2", "fma", "sse2"), True)
    monkeypatch.setattr(target, "_features", lambda: {**features, "avx512bf16": True})
    monkeypatch.setattr(target.llvm, "get_process_triple", lambda: "x86_64-unknown-linux-gnu")
    assert host().dots and "+avx512bf16" in host().features
    for level in ("avx2", "sse"):
        monkeypatch.setenv(target.CHOICE, level)
        assert not host().dots
    monkeypatch.delenv(target.CHOICE)
    monkeypatch.setattr(target, "_features", lambda: {**features, "avx512bf16": False})
    assert not host().dots


# --- the machine's check ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "family"),
    [*zip(trial.ROUNDING, ("packed", "packed", "direct", "1x1 + depthwise"), strict=True)],
)
def test_the_check_meets_each_kernel_with_such_products(words: tuple[ops.Op, ...], family: str) -> None:
    seen: list[str] = []

    def answer(graph: Graph, weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
        plan = make_plan(graph, weights, graph.inputs, Settings(MACHINE, precision="bf16"))
        seen.extend(
            step.part.kernel.family
            for step in plan.steps
            if isinstance(step, Step) and step.part.kernel.storage == DOTS.name
        )
        return np.asarray(run(graph, weights, x))

    assert trial.disagreement(answer, "bf16", words) == 0
    assert seen == [family]


def test_the_check_passes_here() -> None:
    assert trial.of_precision(host(), "bf16") < 1e-5


def test_where_it_is_miscompiled_all_stays_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "compiled", faulty(trial.compiled))
    assert trial.of_precision(replace(MACHINE, dots=False), "bf16") < trust.ALLOWED
    assert trial.of_precision(MACHINE, "bf16") > trust.ALLOWED


def faulty(original: Callable[..., trial.Answer]) -> Callable[..., trial.Answer]:
    """Right, but for machines with such products."""

    def compiled(machine: Target, exact: bool, precision: str = "fp32") -> trial.Answer:
        right = original(host(), exact, "fp32")
        return (lambda *given: right(*given) * 1.5) if machine.dots else right

    return compiled


def test_the_plan_says_where_and_how_far_off() -> None:
    graph = chain(*BLOCK, shape=(256, 28, 28))
    network = Network(Bundle(graph, random_weights(graph), (), {}, {}), threads=1, precision="bf16")
    plan = network.plan(check=True)
    found = {line.storage: line.error for line in plan.lines if line.error is not None}
    if not host().dots:
        assert set(found) == {"fp32"}
        return
    assert set(found) == {"fp32", DOTS.name} and found["fp32"] < 1e-5  # type: ignore[operator]
    assert found[DOTS.name] == pytest.approx(EXPECTED_OF_DOTS, rel=0.3)
    assert "products of bf16, of maps and weights, in 2 layers" in str(plan)
    assert "bf16 dots" in str(plan) and "expected to be off by 2.3e-03" in str(plan)
