"""The largest of every 2 x 2 results, in the convolution before: with Winograd's forms, and without."""

from __future__ import annotations

import numpy as np
import pytest
from engine_world import chain, compare, force, host_target, program_of, random_weights

from striate import ops
from striate.engine.choose import Settings
from striate.engine.machine_code import assembly
from striate.engine.plan import Step, make_plan
from striate.engine.program import Program
from striate.engine.target import LEVELS

FORMS = {
    "all tiles": lambda s: s.chunks == 1 and not s.fresh and (s.mixed or s.m == 2),
    "some tiles": lambda s: s.chunks > 1,
    "transformed in the call": lambda s: bool(s.fresh),
}


def told(program: Program) -> str:
    kernels = [step.part.kernel for step in program.plan.steps if isinstance(step, Step)]
    return " ".join(f"{kernel.family} {kernel.describe()}" for kernel in kernels)


@pytest.mark.parametrize("m", [2, 4, 6])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("shape", "ceil"), [((12, 10), True), ((13, 11), False)])
def test_in_the_output_transform(
    form: str, m: int, shape: tuple[int, int], ceil: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of odd sizes the last row and column are nobody's; an activation may stand on either side."""
    force(monkeypatch, m, FORMS[form])
    if m == 6 and form == "some tiles":  # the smallest maps are one piece
        shape = 2 * shape[0], 2 * shape[1] + shape[1] % 2
    wide = 32 * host_target().lanes - 3
    words = (ops.Conv2d(64, wide, 3, padding=1), ops.SiLU(), ops.MaxPool2d(2, ceil_mode=ceil), ops.ReLU())
    seen = told(compare(chain(*words, shape=(64, *shape)), 3, limit=5e-6, threads=2))
    assert "+ silu + max of 2x2 + relu" in seen and "pool " not in seen


@pytest.mark.parametrize(
    ("convolution", "shape"),
    [
        (ops.Conv2d(3, 17, 3, padding=1), (3, 9, 14)),
        (ops.Conv2d(6, 16, 5), (6, 14, 14)),
        (ops.Conv2d(24, 9, 1), (24, 6, 7)),
        (ops.Conv2d(5, 9, (3, 5), (2, 1), (0, 3), (1, 2)), (5, 19, 12)),
        (ops.Conv2d(4, 5, 3), (4, 4, 4)),
    ],
)
def test_any_convolution(convolution: ops.Conv2d, shape: tuple[int, int, int]) -> None:
    for after in ((), (ops.Conv2d(convolution.out_channels, 7, 3, padding=2),)):
        graph = chain(convolution, ops.ReLU(), ops.MaxPool2d(2), *after, shape=shape)
        compare(graph, 3, limit=5e-6, threads=2)
        assert "pool max of 2x2" in told(compare(graph, 2, exact=True))


def test_other_poolings_stand_alone() -> None:
    first = ops.Conv2d(8, 8, 3, padding=1)
    for pool in (ops.MaxPool2d(3, 2), ops.MaxPool2d(2, 1), ops.MaxPool2d(2, 2, 1), ops.AvgPool2d(2)):
        assert "pool" in told(compare(chain(first, pool, shape=(8, 12, 12)), limit=5e-6))
    assert "pool" in told(
        compare(chain(first, ops.MaxPool2d(2, ceil_mode=True), shape=(8, 11, 12)), limit=5e-6)
    )


def test_a_nan_stays() -> None:
    graph = chain(ops.Conv2d(64, 64, 3, padding=1), ops.MaxPool2d(2), shape=(64, 32, 32))
    program = program_of(graph, random_weights(graph))
    x = np.zeros((1, 64, 32, 32), np.float32)
    x[0, 5, 17, 17] = np.nan
    assert "+ max of 2x2" in told(program)
    assert np.isnan(program({"x0": x}, graph.outputs)[0][0, :, 8, 8]).all()


@pytest.mark.parametrize("level", LEVELS)
def test_every_level(level: str) -> None:
    graph, target = (
        chain(ops.Conv2d(64, 64, 3, padding=1), ops.MaxPool2d(2), shape=(64, 56, 56)),
        LEVELS[level],
    )
    plan = make_plan(graph, random_weights(graph), {"x0": ("N", 64, 56, 56)}, Settings(target))
    kernels = [step.part.kernel for step in plan.steps if isinstance(step, Step)]
    assert any("max of 2x2" in kernel.describe() for kernel in kernels)
    assert all(assembly(kernel.emit(target), target) for kernel in kernels)
