"""Every form of Winograd's scheme, asked for by hand: most are chosen for large layers only."""

from __future__ import annotations

import pytest
from engine_world import chain, compare, force, host_target, one_word, program_of, random_weights

from striate import ops
from striate.engine.choose import Settings
from striate.engine.machine_code import assembly
from striate.engine.plan import Step, make_plan
from striate.engine.target import LEVELS

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
    force(monkeypatch, m, FORMS[form])
    graph = chain(ops.Conv2d(64, 32 * host_target().lanes - 3, 3, padding=1), ops.ReLU(), shape=(64, 13, 10))
    for images in (1, 11):
        program = compare(graph, images, limit=5e-6, threads=2)
    assert "winograd" in {step.part.kernel.family for step in program.plan.steps}  # type: ignore[union-attr]


@pytest.mark.parametrize("form", ["stored, all tiles", "stored, some tiles"])
@pytest.mark.parametrize(("padding", "channels"), [(2, (16, 43)), (0, (21, 40))])
def test_five_by_five(
    form: str, padding: int, channels: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    force(monkeypatch, 2, FORMS[form])
    words = (ops.Conv2d(8, channels[0], 1), ops.Conv2d(*channels, 5, padding=padding), ops.ReLU())
    program = compare(chain(*words, shape=(8, 15, 10)), 3, limit=5e-6, threads=2)
    told = [step.part.kernel.describe() for step in program.plan.steps]  # type: ignore[union-attr]
    assert any("F(2x2, 5x5)" in text for text in told)


@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("chunks", ["one", "several"])
@pytest.mark.parametrize(
    ("channels", "shape", "padding"),
    [((21, 29), (19, 13), 1), ((8, 64), (27, 19), 0), ((3, 40), (14, 23), 2)],
)
def test_a_stride_of_two(
    m: int,
    chunks: str,
    channels: tuple[int, int],
    shape: tuple[int, int],
    padding: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four phases, with and without a last block of channels that is not full."""
    force(monkeypatch, m, lambda scheme: (scheme.chunks > 1) == (chunks == "several"))
    words = (ops.Conv2d(8, channels[0], 1), ops.Conv2d(*channels, 3, 2, padding), ops.ReLU())
    program = compare(chain(*words, shape=(8, *shape)), 3, limit=5e-6, threads=2)
    told = [step.part.kernel.describe() for step in program.plan.steps]  # type: ignore[union-attr]
    assert any("four phases" in text for text in told)


@pytest.mark.parametrize(("taps", "m"), [(7, 3), (7, 2), (5, 4), (5, 2)])
@pytest.mark.parametrize(
    ("channels", "shape", "padding"), [(3, (37, 50), 3), (1, (15, 13), 2), (4, (19, 9), 1)]
)
def test_a_first_layer(
    taps: int, m: int, channels: int, shape: tuple[int, int], padding: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images arrive as planes; the narrowest is no wider than a vector."""
    force(monkeypatch, m, lambda scheme: True)
    graph = chain(ops.Conv2d(channels, 29, taps, 2, padding), ops.ReLU(), shape=(channels, *shape))
    told = [step.part.kernel.describe() for step in compare(graph, 3, threads=2).plan.steps]  # type: ignore[union-attr]
    assert any(f"F({m}x{m}, {taps}x{taps} in four phases)" in text for text in told)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("channels", "taps", "m", "side"), [(64, 3, 4, 56), (3, 7, 3, 112)])
def test_four_phases_for_every_level(
    level: str, channels: int, taps: int, m: int, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    force(monkeypatch, m, lambda scheme: scheme.chunks > 1)
    graph = one_word(ops.Conv2d(channels, 128, taps, 2, taps // 2), (channels, side, side))
    target = LEVELS[level]
    plan = make_plan(graph, random_weights(graph), {"x0": ("N", channels, side, side)}, Settings(target))
    kernels = [step.part.kernel for step in plan.steps if isinstance(step, Step)]
    assert any("four phases" in kernel.describe() for kernel in kernels)
    assert all(assembly(kernel.emit(target), target) for kernel in kernels)


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
