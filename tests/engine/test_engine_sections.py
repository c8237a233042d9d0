"""A batch that passes through a network in sections: the same answers as all images together at each step."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from engine_world import chain, host_target, random_inputs, random_weights

from striate import ops
from striate.engine.choose import Settings
from striate.engine.plan import make_plan
from striate.engine.program import Program
from striate.engine.schedule import Pass, passes
from striate.engine.steps import Plan, Section, Step
from striate.engine.target import LEVELS
from striate.graph.graph import Graph


def network() -> Graph:
    """Winograd's shared V, frames, a pooling, groups, NumPy's word in between, and a dense layer."""
    words = (
        ops.Conv2d(3, 16, 3, padding=1),
        ops.ReLU(),
        ops.Conv2d(16, 24, 3, 1, 1),
        ops.MaxPool2d(2),
        ops.Conv2d(24, 24, 3, 1, 1, groups=24),
        ops.Conv2d(24, 32, 1),
        ops.AdaptiveAvgPool2d(1),
        ops.Flatten(),
        ops.Linear(32, 16),
        ops.RBF(16, 12),
        ops.Linear(12, 10),
    )
    return chain(*words, shape=(3, 20, 18))


def plan_of(threads: int) -> Plan:
    graph = network()
    return make_plan(graph, random_weights(graph), graph.inputs, Settings(host_target(), threads=threads))


def cut(plan: Plan, every: int, images: int, own: bool) -> Plan:
    """Sections of ``every`` steps, and one of the rest."""
    count = sum(isinstance(step, Step) for step in plan.steps)
    steps = [*([every] * (count // every)), *([count % every] if count % every else [])]
    return replace(plan, sections=tuple(Section(some, images, own) for some in steps))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    ("every", "images", "own"), [(100, 1, True), (3, 1, False), (4, 2, True), (1, 4, True)]
)
def test_the_same_answers(
    threads: int, every: int, images: int, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("striate.engine.program.WORTH_SHARING", 0)
    plan = replace(plan_of(threads), sections=())
    together = Program(plan, host_target(), threads)
    apart = Program(cut(plan, every, images, own), host_target(), threads, ready=together.ready)
    for count in (9, 1, 4, 2, 7):  # the first makes room; fewer images use a part of it
        inputs = random_inputs(network(), count, seed=count)
        outputs = network().outputs
        found, expected = apart(inputs, outputs)[0], together(inputs, outputs)[0]
        # where threads meet, both may write Winograd's last tiles, each with its own last digit
        np.testing.assert_allclose(
            found, expected, rtol=0, atol=1e-5 * np.abs(expected).max() * (threads > 1)
        )


def test_sections_leave_less_room() -> None:
    plan = replace(plan_of(1), sections=())
    program = Program(cut(plan, 100, 2, False), host_target(), 1)
    program(random_inputs(network(), 12), network().outputs)
    rooms = {name: memory.size // plan.sizes[name] for name, memory in program.buffers.arena.items()}
    assert rooms["x0"] == 12 and min(rooms.values()) == 2


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("images", [1, 2, 7, 16, 33])
@pytest.mark.parametrize("most", [1, 3, 16])
def test_every_image_passes_once(own: bool, threads: int, images: int, most: int) -> None:
    found = passes(Section(1, most, own), images, threads)
    numbers = [number for one in found for number in range(one.first, one.first + one.images)]
    assert sorted(numbers) == list(range(images))
    assert all(one.images <= most + one.more for one in found) and found[-1].last
    for before, after in pairwise(found):  # nobody uses memory of those that still work
        assert before.last or (before.hand and after.hand)
    for hand in range(1, threads + 1):
        assert sum(one.images for one in found if one.hand == hand) in (0, images // threads)


def test_a_pass_of_fewer_images_than_threads_is_shared() -> None:
    assert passes(Section(1, 1, True), 3, 4) == [Pass(0, 3, more=3)]


def test_large_maps_pass_image_by_image_and_large_weights_serve_all() -> None:
    """As the cost model sees 512 channels of 64 x 64 pixels, and a dense layer of 2 million weights."""
    words = (
        ops.Conv2d(3, 64, 3, padding=1),
        ops.MaxPool2d(2),
        ops.Conv2d(64, 64, 3, padding=1),
        ops.AdaptiveAvgPool2d(4),
        ops.Flatten(),
        ops.Linear(1024, 2048),
    )
    graph = chain(*words, shape=(3, 128, 128))
    weights = random_weights(graph)
    for threads in (1, 2):
        plan = make_plan(graph, weights, graph.inputs, Settings(LEVELS["avx2"], threads=threads))
        assert sum(section.steps for section in plan.sections) == len(plan.steps)
        first, last = plan.sections[0], plan.sections[-1]
        assert first.images < last.images and not last.own
        assert first.own == (threads > 1)
