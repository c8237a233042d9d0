"""1x1 convolutions over packed pixels: small ones, asked for by hand, since only large ones are chosen."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pytest
from engine_world import chain, compare, one_word, random_weights, residual
from hypothesis import given, settings
from hypothesis import strategies as st

from striate import ops
from striate.engine import recipe_convolution
from striate.engine.choose import Settings
from striate.engine.kernels import packed
from striate.engine.kernels.core import WHOLE
from striate.engine.machine_code import assembly
from striate.engine.plan import Step, make_plan
from striate.engine.target import LEVELS, usable

always = patch.object(recipe_convolution, "pays", lambda *_: True)
# a few channels, a few pixels at a time
small = patch.multiple(packed, AT_HAND=(1, 2), core=lambda _: replace(WHOLE, second=3000))


@pytest.mark.parametrize("level", usable())
@settings(max_examples=5, deadline=None)
@given(
    channels=st.tuples(st.sampled_from([2, 7, 16, 48, 67]), st.sampled_from([1, 5, 24, 64, 71])),
    size=st.tuples(st.integers(1, 13), st.integers(2, 11)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    images=st.integers(1, 3),
    cut_up=st.booleans(),
    padded=st.booleans(),
)
def test_any_size(
    level: str,
    channels: tuple[int, int],
    size: tuple[int, int],
    stride: tuple[int, int],
    images: int,
    cut_up: bool,
    padded: bool,
) -> None:
    """``padded``: the map that is written has a frame, for a window that reads it afterwards."""
    inputs, outputs = channels
    words: list[ops.Op] = [ops.Conv2d(inputs, inputs, 1), ops.Conv2d(inputs, outputs, 1, stride), ops.ReLU()]
    if padded:
        words.append(ops.Conv2d(outputs, 3, 2, padding=1))
    with always:
        graph = chain(*words, shape=(inputs, *size))
        if cut_up:
            with small:
                program = compare(graph, images, target=LEVELS[level], threads=2)
        else:
            program = compare(graph, images, target=LEVELS[level])
    assert "packed" in {step.part.kernel.family for step in program.plan.steps}  # type: ignore[union-attr]


def test_a_residual_is_added_once_although_channels_come_in_pieces() -> None:
    graph = residual(40, (5, 7))
    with always, small:
        program = compare(graph, 3, threads=2)
    (step,) = program.plan.steps
    assert isinstance(step, Step) and step.part.kernel.family == "packed" and step.part.kernel.chunks > 2


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("inputs", "side"), [(512, 14), (128, 28)])
def test_code_for_every_level(level: str, inputs: int, side: int) -> None:
    """In pieces enough for all threads, also where the groups of output channels cannot be shared out.

    ``exact``: seven products are not.
    """
    graph = one_word(ops.Conv2d(inputs, 256, 1, 2), (inputs, side, side))
    settings = Settings(LEVELS[level], exact=True, threads=4)
    plan = make_plan(graph, random_weights(graph), {"x0": ("N", inputs, side, side)}, settings)
    (step,) = plan.steps
    assert isinstance(step, Step) and step.part.kernel.family == "packed" and step.part.kernel.units >= 4
    assert assembly(step.part.kernel.emit(LEVELS[level]), LEVELS[level])
