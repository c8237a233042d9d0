"""The check before the first answer, what follows when it fails, and the table of what runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from engine_world import chain, random_weights

from striate import ops
from striate.engine import cache, trial, trust
from striate.engine.engine import Engine
from striate.engine.target import host
from striate.reference import run


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is known of the machine; what is found out is forgotten afterwards."""
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))
    trust.trusted.cache_clear()
    yield
    trust.trusted.cache_clear()


def engine() -> Engine:
    graph = chain(ops.Conv2d(16, 16, 3, padding=1), ops.Softmax(2), shape=(16, 12, 12))
    weights = random_weights(graph)
    return Engine(lambda: (graph, weights), threads=1)


def test_kernels_agree_with_their_definition() -> None:
    assert trust.trusted(host()) == "all"
    assert trial.disagreement(lambda graph, weights, x: run(graph, weights, x, dtype=np.float32)) < 1e-5


@pytest.mark.parametrize(("broken", "level"), [((False,), "plain"), ((False, True), "none")])
def test_kernels_that_disagree_are_not_used(
    broken: tuple[bool, ...], level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = trial.compiled

    def faulty(target: object, exact: bool, precision: str) -> trial.Answer:
        right = original(target, exact, precision)  # type: ignore[arg-type]
        return (lambda *given: right(*given) * 1.5) if exact in broken else right

    monkeypatch.setattr(trial, "compiled", faulty)
    with pytest.warns(RuntimeWarning, match="disagree with their definition"):
        assert trust.trusted(host()) == level
    ours = engine()
    x = np.random.default_rng(0).standard_normal((2, 16, 12, 12)).astype(np.float32)
    expected = run(ours.graph, ours.weights, x)
    np.testing.assert_allclose(ours(x), expected, atol=1e-4)
    shown = str(ours.table((16, 12, 12), measure=False))
    assert "winograd" not in shown
    assert ("every layer runs in NumPy: compiled kernels disagree" in shown) == (level == "none")


def test_the_table_names_kernels_and_measures_them() -> None:
    table = engine().table((16, 12, 12), measure=True)
    shown = str(table)
    assert "n0" in shown and "winograd" in shown and "Softmax" in shown
    compiled = [line for line in table.lines if line.kernel != "numpy"]
    assert all(line.seconds is not None and line.seconds > 0 for line in compiled)
    (product,) = [line for line in compiled if line.kernel == "winograd"]
    assert product.share is not None and product.multiply_adds < 144 * 9 * 16 * 16


def test_a_switch_turns_compiling_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_ENGINE", "reference")
    assert "STRIATE_ENGINE=reference is set" in str(engine().table((16, 12, 12), measure=False))
