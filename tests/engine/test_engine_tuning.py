"""``tune=True``: what is measured decides, is remembered, and never makes an answer wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from engine_world import chain, host_target, random_inputs, random_weights, relative_error

from striate import ops
from striate.bundle import Bundle
from striate.engine import cache, tuning
from striate.engine.choose import Form, Part, Settings, Tuner
from striate.engine.compiled import Compiled
from striate.engine.kernels.kernel import Kernel
from striate.engine.memory import GUARD
from striate.engine.network import Network
from striate.engine.plan import make_plan
from striate.engine.program import Program
from striate.engine.steps import Step
from striate.engine.target import Target
from striate.engine.tuning import Measured, in_turns
from striate.graph.graph import Graph
from striate.reference import run

LAYERS = {
    "3x3": chain(ops.Conv2d(16, 24, 3, padding=1), ops.ReLU(), shape=(16, 13, 12)),
    "3x3, stride 2": chain(ops.Conv2d(16, 24, 3, 2, padding=1), shape=(16, 15, 14)),
    "5x5": chain(ops.Conv2d(24, 40, 5, padding=2), ops.ReLU(), shape=(24, 11, 10)),
    "1x1": chain(ops.Conv2d(40, 24, 1), ops.SiLU(), shape=(40, 7, 9)),
    "1x1, stride 2": chain(ops.Conv2d(160, 64, 1, 2), shape=(160, 9, 8)),
    "depthwise": chain(ops.Conv2d(16, 16, 5, padding=2, groups=16), shape=(16, 11, 13)),
    "groups": chain(ops.Conv2d(24, 36, 3, groups=3), shape=(24, 8, 8)),
    "1x1 and depthwise": chain(
        ops.Conv2d(16, 40, 1), ops.ReLU6(), ops.Conv2d(40, 40, 3, 2, padding=1, groups=40), shape=(16, 14, 10)
    ),
    "transposed": chain(ops.ConvTranspose2d(16, 8, 3, 2), shape=(16, 6, 5)),
}


SMALL = LAYERS["1x1"]


class Number:
    """A tuner that always takes the form of that number, or the last."""

    def __init__(self, number: int) -> None:
        self.number, self.most = number, 0

    def prepare(self, stages: Sequence[Sequence[Form]]) -> None:
        self.most = max(map(len, stages))

    def best(self, forms: Sequence[Form]) -> int:
        return min(self.number, len(forms) - 1)


class Told:
    """Seconds of forms as a test wants them."""

    def __init__(self, *seconds: float) -> None:
        self.seconds, self.asked = seconds, 0

    def __call__(self, forms: Sequence[Form], target: Target, threads: int, passing: int) -> list[float]:
        self.asked += 1
        return [*self.seconds, *[9.0] * len(forms)][: len(forms)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))
    return tmp_path / "kernels"


def parts_of(graph: Graph, tuner: Tuner, *, exact: bool = False) -> list[Part]:
    plan = make_plan(graph, random_weights(graph), graph.inputs, Settings(host_target(), exact, 1, tuner))
    parts = [step.part for step in plan.steps if isinstance(step, Step)]
    return [part for part in parts if part.kernel.family != "frame"]


def kernel_of(graph: Graph, tuner: Tuner) -> Kernel | Compiled:
    (part,) = parts_of(graph, tuner)
    return part.kernel


@pytest.mark.parametrize("layer", LAYERS)
def test_every_form_gives_the_answer(layer: str) -> None:
    graph, tried = LAYERS[layer], set[str]()
    weights, inputs = random_weights(graph), random_inputs(graph, 2)
    expected = run(graph, weights, inputs)
    assert isinstance(expected, np.ndarray)
    number, most = 0, 1
    while number < most:
        tuner = Number(number)
        settings = Settings(host_target(), tuner=tuner)
        program = Program(make_plan(graph, weights, graph.inputs, settings), host_target(), 1)
        (found,) = program(inputs, graph.outputs)
        assert relative_error(found, expected) < 2e-6, (layer, number)
        tried.add("+".join(step.part.kernel.symbol for step in program.plan.steps if isinstance(step, Step)))
        number, most = number + 1, max(most, tuner.most)
    assert len(tried) == most > (layer not in ("groups", "transposed"))


def test_the_fastest_is_taken_and_remembered(folder: Path) -> None:
    usual = kernel_of(SMALL, Number(0))
    told = Told(1.0, 0.5, 0.7)
    taken = kernel_of(SMALL, Measured(host_target(), 1, times=told))
    assert taken == kernel_of(SMALL, Number(1)) != usual and told.asked == 1
    (part,) = parts_of(SMALL, Measured(host_target(), 1, times=told))
    assert part.kernel == taken and told.asked == 1
    assert part.why.startswith("measured, of ") and part.cycles > 0
    for threads, weights in ((2, 0), (1, 2**23)):  # another machine, so to speak
        assert kernel_of(SMALL, Measured(host_target(), threads, weights, Told(0.1))) == usual


def test_what_differs_by_noise_alone_changes_nothing(folder: Path) -> None:
    taken = kernel_of(SMALL, Measured(host_target(), 1, times=Told(1.0, 0.99)))
    assert taken == kernel_of(SMALL, Number(0))


def test_an_exact_network_has_no_winograd(folder: Path) -> None:
    graph = LAYERS["3x3"]
    for exact in (False, True):
        seen = {part.kernel.family for n in range(9) for part in parts_of(graph, Number(n), exact=exact)}
        assert ("winograd" in seen) is not exact and "direct" in seen


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"{}", b'{"fastest": 3}', b'{"fastest": "direct_0"}', b"null", b"1"]
)
def test_a_note_that_is_none_of_ours_is_made_again(
    folder: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = list[str]()
    write = cache.write

    def noted(name: str, code: bytes) -> None:
        if code.startswith(b'{"fastest"'):
            names.append(name)
        write(name, code)

    monkeypatch.setattr(cache, "write", noted)
    kernel_of(SMALL, Measured(host_target(), 1, times=Told(1.0, 0.5)))
    (name,) = names
    write(name, content)  # sealed, but not a choice
    told = Told(1.0, 9.0, 0.5)
    assert kernel_of(SMALL, Measured(host_target(), 1, times=told)) == kernel_of(SMALL, Number(2))
    damaged = bytearray((folder / name).read_bytes())
    damaged[-1] ^= 1
    (folder / name).write_bytes(damaged)
    assert kernel_of(SMALL, Measured(host_target(), 1, times=Told(0.5))) == kernel_of(SMALL, Number(0))


def test_forms_are_measured_and_tuned_programs_kept_apart(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(GUARD, raising=False)  # with guard pages nothing is stored
    asked = list[list[float]]()

    def noted(forms: Sequence[Form], target: Target, threads: int, passing: int) -> list[float]:
        asked.append(in_turns(forms, target, threads, 2**10))
        return [1.0, 0.5, *[9.0] * len(forms)][: len(forms)]

    monkeypatch.setattr(tuning, "in_turns", noted)
    bundle = Bundle(SMALL, random_weights(SMALL), (), {}, {})
    images = random_inputs(SMALL, 3)["x0"]
    expected = run(SMALL, bundle.weights, images)
    networks = [Network(bundle, threads=2, tune=tune) for tune in (False, True, False, True)]
    for network in networks:
        np.testing.assert_allclose(network(images), expected, atol=1e-5)
    shown = [str(network.plan()) for network in networks]
    assert shown[0] == shown[2] != shown[1] == shown[3]
    assert "model, of" in shown[0] and "measured, of" in shown[1]
    (times,) = asked
    assert len(times) > 1 and all(0 < seconds < float("inf") for seconds in times)
    assert len(list((folder.parent / "programs").iterdir())) == 2


def test_predicted_times_stand_beside_measured_ones() -> None:
    graph = chain(ops.Conv2d(16, 24, 3, padding=1), ops.MaxPool2d(3, 2), shape=(16, 12, 12))
    network = Network(Bundle(graph, random_weights(graph), (), {}, {}), threads=1)
    assert all(line.predicted is None for line in network.plan().lines)
    plain, whole = (str(network.plan(measure=measure)) for measure in (False, True))
    assert "chosen by" in plain and "ms" not in plain.splitlines()[0].split()
    assert re.search(r" ms predicted +ms +of peak$", whole.splitlines()[0])  # no errors: no check
    lines = {line.kernel: line for line in network.plan(measure=True).lines}
    assert (lines["winograd"].predicted or 0) > 0 and lines["pool"].predicted is None
    assert lines["winograd"].chosen.startswith("model, of ") and lines["pool"].chosen == ""
