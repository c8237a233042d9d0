"""Every form of Winograd's scheme, asked for by hand: most are chosen for large layers only."""

from __future__ import annotations

import pytest
from engine_world import chain, compare, force, host_target, one_word, program_of, random_weights

from striate import ops
from striate.engine.choose import Settings
from striate.engine.kernels.direct import Window
from striate.engine.kernels.tile import CLOSE, IN_LINE, winograd_schemes
from striate.engine.layout import Layout
from striate.engine.machine_code import assembly
from striate.engine.plan import Step, make_plan
from striate.engine.program import Program
from striate.engine.target import LEVELS
from striate.graph.graph import Graph, Node

FORMS = {
    "stored, all tiles": lambda s: not s.fresh and s.chunks == 1 and s.round == 1 and not s.mixed,
    "stored, some tiles": lambda s: not s.fresh and s.chunks > 3,
    "stored, several groups in a round": lambda s: not s.fresh and s.round > 1 and s.mixed,
    "transformed in the call": lambda s: bool(s.fresh) and s.mixed,
}


@pytest.mark.parametrize("m", [2, 4, 6])
@pytest.mark.parametrize("form", FORMS)
def test_every_form(form: str, m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eleven images are more than are at hand together; the outputs do not fill the last vector."""
    force(monkeypatch, m, FORMS[form])
    wide = 22 if m == 6 and form == "stored, some tiles" else 10
    shape = (64, 13, wide)
    graph = chain(ops.Conv2d(64, 32 * host_target().lanes - 3, 3, padding=1), ops.ReLU(), shape=shape)
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


IN_A_LINE = [(taps, m) for taps, sizes in IN_LINE.items() for m in sizes]
IN_A_LINE_FORMS = {
    **{name: FORMS[name] for name in ("stored, all tiles", "stored, some tiles")},
    "smaller last tiles": lambda s: s.mixed,
}


@pytest.mark.parametrize("down", [True, False])
@pytest.mark.parametrize("form", IN_A_LINE_FORMS)
@pytest.mark.parametrize(("taps", "m"), IN_A_LINE)
def test_kernels_in_a_line(taps: int, m: int, form: str, down: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Padded to the same size and not at all; neither 23 nor 13 is a multiple of any tile."""
    force(monkeypatch, m, IN_A_LINE_FORMS[form])
    kernel, pads = ((taps, 1), (taps // 2, 0)) if down else ((1, taps), (0, taps // 2))
    words = (ops.Conv2d(8, 21, 1), ops.Conv2d(21, 43, kernel, padding=pads), ops.ReLU())
    more = (ops.Conv2d(43, 24, kernel), ops.ReLU())
    program = compare(chain(*words, *more, shape=(8, 23, 13)), 3, limit=5e-6, threads=2)
    outputs = f"{m}x1, {taps}x1" if down else f"1x{m}, 1x{taps}"
    assert sum(f"F({outputs})" in text for text in told(program)) == 2


def test_sequences_are_lines() -> None:
    """A sequence is a map of one row. Relative L2 error of 256 channels: 1e-6 was measured."""
    words = ops.Conv1d(256, 64, 3, padding=1), ops.ReLU(), ops.Conv1d(64, 64, 5)
    program = compare(chain(*words, shape=(256, 100)), 2, limit=2e-6)
    assert sum("F(1x" in text for text in told(program)) == 2


@pytest.mark.parametrize(
    "op",
    [
        ops.Conv2d(32, 32, (1, 7), 2, (0, 3)),
        ops.Conv2d(32, 32, (3, 1), 1, (1, 0), (2, 1)),
        ops.Conv2d(32, 32, (1, 9), 1, (0, 4)),
        ops.Conv2d(32, 32, (3, 5), 1, (1, 2)),
    ],
)
def test_other_windows_are_summed_plainly(op: ops.Conv2d) -> None:
    assert "winograd" not in str(told(compare(chain(op, shape=(32, 20, 20)), 2)))


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


@pytest.mark.parametrize(
    ("m", "shape"), [(4, (7, 13)), (4, (14, 5)), (6, (14, 28)), (6, (13, 12)), (6, (11, 9)), (2, (5, 7))]
)
def test_smaller_last_tiles(m: int, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 1 to 5 outputs, along one axis or both; most positions' tiles do not fill their turns."""
    force(monkeypatch, m, lambda scheme: scheme.mixed and scheme.tile[0] == 3 and not scheme.fresh)
    nodes = (
        Node("word", ops.Conv2d(24, 40, 3, padding=1), ("x0",), {"weight": "a", "bias": "b"}),
        Node("other", ops.Conv2d(24, 40, 1), ("x0",), {"weight": "c", "bias": "d"}),
        Node("sum", ops.Add(), ("word", "other"), {}),
    )
    graph = Graph({"x0": ("N", 24, *shape)}, nodes, ("sum",))
    assert "the last smaller" in str(told(compare(graph, 2, limit=5e-6, threads=2)))


def told(program: Program) -> list[str]:
    return [step.part.kernel.describe() for step in program.plan.steps]  # type: ignore[union-attr]


@pytest.mark.parametrize(("m", "limit"), [(2, 6e-7), (4, 4e-6), (6, 8e-6)])
def test_error(m: int, limit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative L2 error of 512 channels of both signs: 5e-7, 3.1e-6 and 6.4e-6 were measured."""
    force(monkeypatch, m, lambda scheme: scheme.chunks > 1)
    compare(chain(ops.Conv2d(512, 32, 3, padding=1), shape=(512, 24, 24)), limit=limit)


def test_large_tiles_are_left_where_their_error_would_grow() -> None:
    machine = host_target()
    for channels, expected in ((CLOSE, {6, 4, 2}), (CLOSE + machine.lanes, {4, 2})):
        map_ = Layout(channels, 28, 28, machine.lanes, (1, 1, 1, 1))
        schemes = winograd_schemes(map_, map_, Window((3, 3), before=(1, 1)), machine)
        assert {scheme.m for scheme in schemes} == expected


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("m", "mixed", "fresh"), [(6, False, False), (6, True, False), (2, True, True)])
def test_large_and_smaller_tiles_for_every_level(
    level: str, m: int, mixed: bool, fresh: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    force(monkeypatch, m, lambda s: s.mixed == mixed and bool(s.fresh) == fresh and (s.chunks > 1) != mixed)
    graph, target = one_word(ops.Conv2d(64, 128, 3, padding=1), (64, 27, 27)), LEVELS[level]
    plan = make_plan(graph, random_weights(graph), {"x0": ("N", 64, 27, 27)}, Settings(target))
    kernels = [step.part.kernel for step in plan.steps if isinstance(step, Step)]
    assert any(f"F({m}x{m}, 3x3)" in kernel.describe() for kernel in kernels)
    assert all(assembly(kernel.emit(target), target) for kernel in kernels)


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
    steps = program_of(graph, random_weights(graph), threads=4).plan.steps
    assert all(step.part.kernel.units >= 4 for step in steps)  # type: ignore[union-attr]
