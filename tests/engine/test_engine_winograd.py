"""Every form of Winograd's scheme, asked for by hand: most are chosen for large layers only."""

from __future__ import annotations

from typing import Any

import pytest
from engine_world import chain, compare, host_target, program_of, random_weights

from striate import ops
from striate.engine import recipe_convolution
from striate.engine.kernels.tile import winograd_schemes

FORMS = {
    "stored, all tiles": lambda s: not s.fresh and s.chunks == 1 and s.round == 1,
    "stored, some tiles": lambda s: not s.fresh and s.chunks > 3,
    "stored, several groups in a round": lambda s: not s.fresh and s.round > 1 and s.chunks == 1,
    "transformed in the call": lambda s: bool(s.fresh),
}


@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("form", FORMS)
def test_every_form(form: str, m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eleven images are more than are at hand together; the outputs do not fill the last vector."""

    def forced(source: Any, target: Any, before: Any, finish: Any, machine: Any) -> Any:
        schemes = winograd_schemes(source, target, before, finish, machine)
        return next(scheme for scheme in schemes if scheme.m == m and FORMS[form](scheme))

    monkeypatch.setattr(recipe_convolution, "winograd_scheme", forced)
    graph = chain(ops.Conv2d(64, 32 * host_target().lanes - 3, 3, padding=1), ops.ReLU(), shape=(64, 13, 10))
    for images in (1, 11):
        program = compare(graph, images, limit=5e-6, threads=2)
    assert "winograd" in {step.part.kernel.family for step in program.plan.steps}  # type: ignore[union-attr]


def test_what_the_model_says_is_remembered_without_what_follows() -> None:
    """Two layers that differ in their activation share one search, and keep their own activation."""
    words = (ops.Conv2d(64, 64, 3, padding=1), ops.ReLU(), ops.Conv2d(64, 64, 3, padding=1), ops.SiLU())
    program = compare(chain(*words, shape=(64, 12, 12)), limit=5e-6)
    told = [step.part.kernel.describe() for step in program.plan.steps]  # type: ignore[union-attr]
    assert any(text.endswith("relu") for text in told) and any(text.endswith("silu") for text in told)


def test_there_is_work_for_several_threads() -> None:
    """Once a layer of 128 channels was a single unit, and the second thread had nothing to do."""
    graph = chain(ops.Conv2d(128, 128, 3, padding=1), shape=(128, 28, 28))
    steps = program_of(graph, random_weights(graph)).plan.steps
    assert all(step.part.kernel.units >= 4 for step in steps)  # type: ignore[union-attr]
