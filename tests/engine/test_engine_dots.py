"""Products of bf16: the definition with rounded factors, only where the processor has them and they pay.

On a machine without AVX512_BF16 the same plans are made for one that has it, and their machine code is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from engine_world import chain, one_word, random_inputs, random_weights, relative_error
from hypothesis import given, settings
from hypothesis import strategies as st

from striate import ops
from striate.bundle import Bundle
from striate.engine import Network, cache, recipe_convolution, target, trial, trust
from striate.engine.choose import Form, Settings
from striate.engine.kernels import packed
from striate.engine.kernels.core import core
from striate.engine.kernels.storage import DOTS, EXPECTED_OF_DOTS, nearest
from striate.engine.machine_code import assembly
from striate.engine.plan import Step, make_plan
from striate.engine.program import Program
from striate.engine.target import LEVELS, Target, host
from striate.graph.graph import Graph, Node
from striate.reference import run

WITH = replace(LEVELS["avx512"], features="-prefer-256-bit,+avx512bf16", dots=True)
MACHINE = host() if host().dots else WITH  # what plans are made for; only the host's can be executed
INSTRUCTION = "vdpbf16ps"
always = patch.object(recipe_convolution, "pays", lambda *_: True)
small = patch.multiple(packed, AT_HAND=(1, 2), core=lambda machine: replace(core(machine), second=3000))


class Forced:
    """A tuner that takes the last form with products of bf16 of the family, whatever it costs."""

    def __init__(self, family: str) -> None:
        self.family = family

    def prepare(self, stages: Sequence[Sequence[Form]]) -> None: ...

    def best(self, forms: Sequence[Form]) -> int:
        return max(number for number, form in enumerate(forms) if self.family in dotted(form) or not number)


def dotted(form: Form) -> list[str]:
    """Families of a form's kernels with such products."""
    return [part.kernel.family for part in form.parts if part.kernel.storage == DOTS.name]


def compare(
    graph: Graph, family: str, images: int = 1, threads: int = 1, inputs: dict[str, np.ndarray] | None = None
) -> Step:
    """The answer is the definition's, of inputs and weights that bf16 has. Gives the step of that family."""
    options = Settings(MACHINE, threads=threads, precision="bf16", tuner=Forced(family))
    weights = {name: nearest(array) for name, array in random_weights(graph).items()}
    inputs = inputs or {name: nearest(array) for name, array in random_inputs(graph, images).items()}
    plan = make_plan(graph, weights, graph.inputs, options)
    steps = [step for step in plan.steps if isinstance(step, Step) and step.part.kernel.family == family]
    (found,) = [step for step in steps if step.part.kernel.storage == DOTS.name]
    if MACHINE.cpu == host().cpu:
        (answer,) = Program(plan, MACHINE, threads)(inputs, graph.outputs)
        assert relative_error(answer, run(graph, weights, inputs)) < 2e-6  # type: ignore[arg-type]
    else:
        assert INSTRUCTION in assembly(found.part.kernel.emit(MACHINE), MACHINE)  # type: ignore[union-attr]
    return found


@settings(max_examples=12, deadline=None)
@given(
    channels=st.tuples(st.sampled_from([17, 31, 48, 67, 96, 128]), st.sampled_from([1, 5, 24, 64, 71])),
    size=st.tuples(st.integers(1, 13), st.integers(2, 11)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    images=st.integers(1, 3),
    cut_up=st.booleans(),
    padded=st.booleans(),
)
def test_products_of_any_size(
    channels: tuple[int, int],
    size: tuple[int, int],
    stride: tuple[int, int],
    images: int,
    cut_up: bool,
    padded: bool,
) -> None:
    """``cut_up``: channels come in pieces, a few pixels at a time. ``padded``: what is written has a
    frame."""
    words: list[ops.Op] = [ops.Conv2d(*channels, 1, stride), ops.ReLU()]
    if padded:
        words.append(ops.Conv2d(channels[1], 3, 2, padding=1))
    graph = chain(*words, shape=(channels[0], size[0] * stride[0], size[1] * stride[1]))
    with always:
        if cut_up:
            with small:
                compare(graph, "packed", images, threads=2)
        else:
            compare(graph, "packed", images)


def test_a_residual_is_added_once_although_channels_come_in_pieces() -> None:
    weights = {"weight": "w", "bias": "b"}
    nodes = (
        Node("conv", ops.Conv2d(144, 144, 1), ("x0",), weights),
        Node("sum", ops.Add(), ("conv", "x0"), {}),
        Node("end", ops.ReLU(), ("sum",), {}),
    )
    graph = Graph({"x0": ("N", 144, 5, 7)}, nodes, ("end",))
    with small:
        step = compare(graph, "packed", 3, threads=2)
    assert step.part.kernel.chunks > 2  # type: ignore[union-attr]


@pytest.mark.parametrize(("channels", "stride"), [(33, 1), (64, 2)])
def test_a_gate_is_applied_before_values_are_rounded(channels: int, stride: int) -> None:
    """Gates that are powers of two: then the products are numbers that bf16 has, and one rounding is none."""
    nodes = (
        Node("gated", ops.Multiply(), ("x0", "x1"), {}),
        Node("narrow", ops.Conv2d(channels, 40, 1, stride), ("gated",), {"weight": "w", "bias": "b"}),
    )
    graph = Graph({"x0": ("N", channels, 9, 6), "x1": ("N", channels, 1, 1)}, nodes, ("narrow",))
    inputs = {name: nearest(array) for name, array in random_inputs(graph, 2).items()}
    inputs["x1"] = np.exp2(np.round(4 * inputs["x1"]))
    step = compare(graph, "packed", inputs=inputs)
    assert step.part.kernel.gate is not None  # type: ignore[union-attr]


@settings(max_examples=8, deadline=None)
@given(
    channels=st.tuples(st.sampled_from([17, 31, 48, 67, 96]), st.sampled_from([32, 71, 100])),
    size=st.tuples(st.integers(3, 13), st.integers(3, 11)),
    stride=st.integers(1, 2),
    kernel=st.sampled_from([3, 5]),
    images=st.integers(1, 3),
    threads=st.integers(1, 2),
)
def test_a_product_and_the_depthwise_layer_behind_it_in_one_pass(
    channels: tuple[int, int], size: tuple[int, int], stride: int, kernel: int, images: int, threads: int
) -> None:
    inputs, wide = channels
    depthwise = ops.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide)
    graph = chain(ops.Conv2d(inputs, wide, 1), ops.SiLU(), depthwise, shape=(inputs, *size))
    compare(graph, "1x1 + depthwise", images, threads)


def test_a_product_and_the_depthwise_layer_behind_it_one_after_the_other() -> None:
    depthwise = ops.Conv2d(96, 96, 3, padding=1, groups=96)
    graph = chain(ops.Conv2d(40, 96, 1), ops.ReLU6(), depthwise, shape=(40, 9, 10))
    compare(graph, "packed", 2)


def test_values_are_rounded_to_the_nearest_ties_to_even() -> None:
    """A product with one: what comes out is what the map was rounded to."""
    bits = np.random.default_rng(0).integers(0x00800000, 0x7F000000, 32 * 64, dtype=np.uint32)
    bits[::3] = bits[::3] & np.uint32(0xFFFF0000) | np.uint32(0x8000)  # halfway between two
    x = (bits.view(np.float32) * np.resize([1, -1], bits.size).astype(np.float32)).reshape(1, 32, 8, 8)
    graph = one_word(ops.Conv2d(32, 32, 1, bias=False), (32, 8, 8))
    options = Settings(MACHINE, precision="bf16", tuner=Forced("packed"))
    plan = make_plan(
        graph, {"weight": np.eye(32, dtype=np.float32).reshape(32, 32, 1, 1)}, graph.inputs, options
    )
    (step,) = plan.steps
    assert isinstance(step, Step) and step.part.kernel.storage == DOTS.name
    assert "vcvtneps2bf16" in assembly(step.part.kernel.emit(MACHINE), MACHINE)  # type: ignore[union-attr]
    if MACHINE.cpu == host().cpu:
        (found,) = Program(plan, MACHINE, 1)({"x0": x}, graph.outputs)
        np.testing.assert_array_equal(found, nearest(x))


@pytest.mark.parametrize("family", ["packed", "1x1 + depthwise"])
def test_no_sum_leaves_its_register(family: str) -> None:
    words = [ops.Conv2d(256, 512, 1), ops.Conv2d(512, 512, 3, padding=1, groups=512)]
    graph = chain(*words[: 1 + (family != "packed")], shape=(256, 14, 14))
    kernel = compare(graph, family).part.kernel
    parts = re.split(r"^(?=\.LBB)", assembly(kernel.emit(WITH), WITH), flags=re.MULTILINE)  # type: ignore[union-attr]
    loop = max(parts, key=lambda part: part.count(INSTRUCTION))
    assert loop.count(INSTRUCTION) > 40
    assert not re.findall(r"vmov\w+\s+%[yz]mm\d+, \S*\(%r[sb]p\)", loop)


# --- where ------------------------------------------------------------------------------------------------

WINDOW = ops.Conv2d(128, 128, 3, padding=1)
BLOCK = (ops.MaxPool2d(2), ops.Conv2d(256, 128, 1), ops.ReLU(), WINDOW, ops.ReLU(), ops.Conv2d(128, 256, 1))


def storages(precision: str, graph: Graph) -> list[str]:
    plan = make_plan(graph, random_weights(graph), graph.inputs, Settings(MACHINE, precision=precision))
    return [step.part.kernel.storage for step in plan.steps if isinstance(step, Step) and step.covers]


def test_products_of_pixels_are_halved_and_windows_are_left_to_winograd() -> None:
    graph = chain(*BLOCK, shape=(256, 56, 56))
    found = storages("bf16", graph)
    assert found[1] == found[-1] == DOTS.name and {found[0], *found[2:-1]} == {"fp32"}
    assert set(storages("fp32", graph)) == {"fp32"}


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
    ("words", "family"), [*zip(trial.ROUNDING, ("packed", "packed", "1x1 + depthwise"), strict=True)]
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
