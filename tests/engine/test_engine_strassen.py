"""1x1 convolutions by seven products: small ones, asked for by hand, since only large ones are chosen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from engine_world import chain, compare, one_word, random_weights
from hypothesis import given, settings
from hypothesis import strategies as st

from striate import ops
from striate.engine import recipe_convolution
from striate.engine.choose import Settings
from striate.engine.kernels import seven, strassen_choice
from striate.engine.kernels.core import WHOLE
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.strassen import Strassen
from striate.engine.kernels.strassen_choice import strassen
from striate.engine.kernels.tile import uneven
from striate.engine.layout import Layout
from striate.engine.machine_code import assembly
from striate.engine.plan import Step, make_plan
from striate.engine.target import LEVELS, usable
from striate.graph.graph import Graph, Node

# a number of blocks that can be halved as often, whatever a vector holds
CHANNELS = {1: (32, 61, 64, 125), 2: (64, 125, 128)}


@contextmanager
def always(levels: int = 1, room: float = 3 / 4) -> Iterator[None]:
    """Seven products wherever they can be, in strips whose copies take that part of the second cache."""
    strassen.cache_clear()
    with (
        patch.object(recipe_convolution, "cycles", lambda kernel, _: kernel.family != "strassen"),
        patch.object(recipe_convolution, "pays", lambda *_: True),
        patch.object(strassen_choice, "ROOM", {levels: room}),
    ):
        yield
    strassen.cache_clear()


def families(graph: Graph, settings_: Settings) -> list[str]:
    inputs = {name: ("N", *shape[1:]) for name, shape in graph.inputs.items()}
    plan = make_plan(graph, random_weights(graph), inputs, settings_)
    return [step.part.kernel.family for step in plan.steps if isinstance(step, Step)]


@pytest.mark.parametrize("level", usable())
@pytest.mark.parametrize("levels", CHANNELS)
@settings(max_examples=6, deadline=None)
@given(
    channels=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    size=st.tuples(st.integers(4, 13), st.integers(8, 11)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 2)),
    images=st.integers(1, 3),
    threads=st.integers(1, 3),
    room=st.sampled_from([5_000, 20_000, 400_000]),
    padded=st.booleans(),
)
def test_any_size(
    level: str,
    levels: int,
    channels: tuple[int, int],
    size: tuple[int, int],
    stride: tuple[int, int],
    images: int,
    threads: int,
    room: int,
    padded: bool,
) -> None:
    """``padded``: the map that is written has a frame, for a window that reads it afterwards."""
    inputs, outputs = (CHANNELS[levels][one % len(CHANNELS[levels])] for one in channels)
    down, across = stride
    shape = (inputs, levels * down * size[0], across * size[1])
    words: list[ops.Op] = [ops.Conv2d(inputs, outputs, (1, 1), stride), ops.ReLU()]
    if padded:
        words.append(ops.Conv2d(outputs, 3, (2, 2), padding=(1, 1)))
    with always(levels, room / WHOLE.second):
        program = compare(chain(*words, shape=shape), images, target=LEVELS[level], threads=threads)
    found = [step.part.kernel for step in program.plan.steps]  # type: ignore[union-attr]
    assert [one.levels for one in found if isinstance(one, Strassen)] == [levels]


@pytest.mark.parametrize(("levels", "channels", "size"), [(1, 64, (5, 7)), (2, 128, (7, 11))])
def test_a_residual_is_added_once_where_parts_share_pixels(
    levels: int, channels: int, size: tuple[int, int]
) -> None:
    """35 pixels: both halves of the only strip have the one in the middle."""
    weights = {"weight": "w", "bias": "b"}
    nodes = (
        Node("conv", ops.Conv2d(channels, channels, (1, 1)), ("x0",), weights),
        Node("sum", ops.Add(), ("conv", "x0"), {}),
        Node("end", ops.SiLU(), ("sum",), {}),
    )
    with always(levels):
        program = compare(Graph({"x0": ("N", channels, *size)}, nodes, ("end",)), 3, threads=2)
    (step,) = program.plan.steps
    assert isinstance(step, Step) and step.part.kernel.family == "strassen"


def test_weights_are_what_the_seven_products_of_the_definition_need() -> None:
    """Products of NumPy's, so that no code of ours is involved."""
    layout = Layout(32, 4, 8, 16)
    kernel = Strassen(layout, layout, (1, 1), (4, 1), 1, 1, False, Finish())
    rng = np.random.default_rng(0)
    weight, image = rng.standard_normal((32, 32)), rng.standard_normal((32, 32))
    packed = kernel.pack(weight.astype(np.float32), None)["weights"].reshape(7, 16, 16)
    (a11, a12), (a21, a22) = ([half[:, :16], half[:, 16:]] for half in (image[:16], image[16:]))
    s1 = a21 + a22
    s2 = s1 - a11
    seen = (a11, a12, s2, a11 - a21, s1, a22, a12 - s2)
    one, two, three, four, five, six, seven = (a @ b for a, b in zip(seen, packed, strict=True))
    rows = [
        np.hstack([one + two, one + three + five + seven]),
        np.hstack([one + three + four + six, one + three + four + five]),
    ]
    np.testing.assert_allclose(np.vstack(rows), image @ weight.T, atol=1e-5)


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_routes_make_a_matrix_product(levels: int) -> None:
    """In numbers alone: every product, where its sums wait, and what they end in."""
    side = 2**levels
    a, b = np.random.default_rng(levels).integers(-9, 9, (2, side, side)).astype(float)
    seen = seven.of_map([[float(one) for one in row] for row in a], lambda x, y: x + y, lambda x, y: x - y)
    found, waiting = np.full((side, side), np.nan), dict[tuple[int, str, tuple[int, int]], float]()
    for number, (left, right) in enumerate(zip(seen, seven.of_weights(b, levels), strict=True)):
        steps, value = seven.route(number, levels), left * right.item()
        for level, (begin, end) in enumerate(steps):
            inside = seven.quarter(steps[:level])
            value += waiting[level, begin, inside] if begin else 0
            if end in seven.WAITING:
                waiting[level, end, inside] = value
            elif end == seven.BOTH:
                waiting[level, "Z", inside] += value
                value += waiting[level, "Y", inside]
        if steps[-1][1] not in seven.WAITING:
            found[seven.quarter(steps)] = value
    np.testing.assert_array_equal(found, a @ b)


@pytest.mark.parametrize("level", LEVELS)
def test_the_model_takes_it_for_many_channels_only_and_exact_never(level: str) -> None:
    """With code for every level."""
    target = LEVELS[level]
    large, small = (one_word(ops.Conv2d(n, n, (1, 1)), (n, 14, 14)) for n in (512, 32))
    assert families(large, Settings(target)) == ["strassen"]
    assert families(large, Settings(target, exact=True)) != ["strassen"]
    assert families(small, Settings(target)) != ["strassen"]
    plan = make_plan(large, random_weights(large), {"x0": ("N", 512, 14, 14)}, Settings(target, threads=2))
    (step,) = plan.steps
    assert isinstance(step, Step) and isinstance(step.part.kernel, Strassen)
    assert step.part.kernel.units % 2 == 0
    assert assembly(step.part.kernel.emit(target), target)


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("level", ["avx512", "avx2"])
def test_threads_get_as_many_units_each(level: str, threads: int) -> None:
    """160 outputs of a half are 5 groups of 32, which no two threads share evenly: cut another way."""
    target = replace(LEVELS[level], cpu="znver4") if level == "avx512" else LEVELS[level]
    source, wide = (Layout(n, 14, 14, target.lanes) for n in (1152, 320))
    kernel = strassen(source, wide, (1, 1), Finish(), target, threads)
    assert kernel is not None and uneven(kernel.units, threads) < 1.1
    words = ops.Conv2d(80, 240, 1), ops.Conv2d(240, 240, 3, 1, 1, groups=240)
    graph = chain(*words, shape=(80, 14, 14))
    plan = make_plan(
        graph, random_weights(graph), {"x0": ("N", 80, 14, 14)}, Settings(target, threads=threads)
    )
    units = [s.part.kernel.units for s in plan.steps if isinstance(s, Step) and s.part.kernel.multiply_adds]
    assert all(uneven(one, threads) < 1.25 for one in units), units


@pytest.mark.parametrize(("inputs", "outputs", "side"), [(40, 64, 8), (64, 40, 8), (64, 16, 8), (64, 64, 5)])
def test_odd_or_small_halves_are_refused(inputs: int, outputs: int, side: int) -> None:
    with always(1):
        assert "strassen" not in families(
            one_word(ops.Conv2d(inputs, outputs, (1, 1)), (inputs, side, side)), Settings(LEVELS["avx2"])
        )
