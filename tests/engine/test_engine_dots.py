"""Products of bf16: the definition with rounded factors, for any size."""

from __future__ import annotations

import re
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from dots_world import INSTRUCTION, MACHINE, WITH, Forced, compare
from engine_world import chain, one_word, random_inputs, residual
from hypothesis import given, settings
from hypothesis import strategies as st

from striate import ops
from striate.engine import recipe_convolution
from striate.engine.choose import Settings
from striate.engine.kernels import packed
from striate.engine.kernels.core import core
from striate.engine.kernels.storage import DOTS, nearest
from striate.engine.machine_code import assembly
from striate.engine.plan import Step, make_plan
from striate.engine.program import Program
from striate.engine.target import host
from striate.graph.graph import Graph, Node

always = patch.object(recipe_convolution, "pays", lambda *_: True)
small = patch.multiple(packed, AT_HAND=(1, 2), core=lambda machine: replace(core(machine), second=3000))


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
    graph = residual(144, (5, 7))
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


@settings(max_examples=8, deadline=None)
@given(
    channels=st.tuples(st.sampled_from([17, 31, 48, 67]), st.sampled_from([5, 24, 71])),
    size=st.tuples(st.integers(5, 13), st.integers(5, 11)),
    kernel=st.tuples(st.integers(1, 5), st.integers(2, 5)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    images=st.integers(1, 3),
    threads=st.integers(1, 2),
)
def test_windows_of_any_size(
    channels: tuple[int, int],
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    images: int,
    threads: int,
) -> None:
    words = (ops.Conv2d(*channels, kernel, stride, padding), ops.ReLU())
    compare(chain(*words, shape=(channels[0], *size)), "direct", images, threads)


def test_a_window_with_gaps_and_a_residual() -> None:
    weights = {"weight": "w", "bias": "b"}
    nodes = (
        Node("conv", ops.Conv2d(40, 40, 3, padding=2, dilation=2), ("x0",), weights),
        Node("sum", ops.Add(), ("conv", "x0"), {}),
    )
    compare(Graph({"x0": ("N", 40, 9, 7)}, nodes, ("sum",)), "direct", 2, threads=2)
