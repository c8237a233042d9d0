"""Weights kept as bf16: rounded as bf16 is, summed in float32, only where that is expected to be faster."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from engine_world import chain, random_inputs, random_weights, relative_error
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from striate import create, ops
from striate.bundle import Bundle, read_bundle, write_bundle
from striate.capture import capture
from striate.cli import app
from striate.data.preprocess import Preprocessing
from striate.engine import Network, cache, load, recipe_convolution, trial, trust
from striate.engine.choose import Settings
from striate.engine.kernels.storage import BF16, EXPECTED, nearest
from striate.engine.machine_code import assembly
from striate.engine.plan import Step, make_plan
from striate.engine.program import Program
from striate.engine.target import LEVELS, Target, host, usable
from striate.errors import ArgumentError, BundleError
from striate.graph.graph import Graph
from striate.models import card
from striate.reference import run

always = patch.object(recipe_convolution, "FP32", BF16)  # both forms of a dense layer


def test_rounding_is_torchs() -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, 2**16, dtype=np.uint32)
    bits[:9] = [0x3F808000, 0x3F818000, 0x3F80FFFF, 0, 1, 0x8000, 0x7F7FFFFF, 0x7F800000, 0x80018000]
    values = bits.view(np.float32)
    expected = torch.from_numpy(values).bfloat16().float().numpy()
    np.testing.assert_array_equal(nearest(values), expected)
    for nothing in (0x7F800001, 0xFFFFFFFF, 0x7FFFFFFF):  # no carry makes a number or an infinity of it
        assert np.isnan(nearest(np.array([nothing], np.uint32).view(np.float32))).all()


def test_what_is_expected_of_rounded_weights() -> None:
    values = np.random.default_rng(0).standard_normal(2**20).astype(np.float32)
    error = nearest(values) - values
    assert np.linalg.norm(error) / np.linalg.norm(values) == pytest.approx(EXPECTED, rel=0.05)
    assert np.abs(error / values).max() <= 2.0**-8


def test_a_word_holds_two_inputs_the_first_below() -> None:
    matrix = np.random.default_rng(0).standard_normal((136, 6)).astype(np.float32)
    words = BF16.words(matrix).view(np.uint32)
    np.testing.assert_array_equal((words << np.uint32(16)).view(np.float32), nearest(matrix)[0::2])
    np.testing.assert_array_equal((words & np.uint32(0xFFFF0000)).view(np.float32), nearest(matrix)[1::2])


def program_of(graph: Graph, weights: dict[str, np.ndarray], target: Target, threads: int = 1) -> Program:
    options = Settings(target, threads=threads, precision="bf16")
    return Program(make_plan(graph, weights, graph.inputs, options), target, threads)


@pytest.mark.parametrize("level", usable())
@settings(max_examples=4, deadline=None)
@given(
    channels=st.integers(1, 40),
    outputs=st.integers(1, 70),
    side=st.integers(1, 4),
    images=st.integers(1, 6),
    cut_up=st.booleans(),
    dense=st.booleans(),
)
def test_sums_of_rounded_weights_are_float32s(
    level: str, channels: int, outputs: int, side: int, images: int, cut_up: bool, dense: bool
) -> None:
    words: list[ops.Op] = [ops.Conv2d(channels, outputs, side), ops.ReLU()]
    if dense:
        words = [ops.Flatten(), ops.Linear(channels * side * side, outputs), ops.ReLU()]
    graph = chain(*words, shape=(channels, side, side))
    weights, inputs = random_weights(graph), random_inputs(graph, images)
    with always, patch("striate.engine.kernels.dense.PART", 2**10 if cut_up else 2**17):
        program = program_of(graph, weights, LEVELS[level], threads=2)
    (step,) = program.plan.steps
    assert isinstance(step, Step) and step.part.kernel.storage == "bf16"
    exact = {name: nearest(w) if name.endswith("weight") else w for name, w in weights.items()}
    (found,) = program(inputs, graph.outputs)
    assert relative_error(found, run(graph, exact, inputs)) < 2e-6  # type: ignore[arg-type]


@pytest.mark.parametrize("level", LEVELS)
def test_code_for_every_level_has_no_instruction_that_was_not_tried(level: str) -> None:
    graph = chain(ops.Flatten(), ops.Linear(512, 1000), shape=(512,))
    options = Settings(LEVELS[level], precision="bf16")
    (step,) = make_plan(graph, random_weights(graph), graph.inputs, options).steps
    assert isinstance(step, Step) and step.part.kernel.storage == "bf16"
    text = assembly(step.part.kernel.emit(LEVELS[level]), LEVELS[level])  # type: ignore[union-attr]
    assert "bf16" not in text.replace(step.part.kernel.symbol, "") and "bfdot" not in text


def network() -> Bundle:
    """Four dense layers, of 205,000, 400,000, 40,000 and 800 weights."""
    words = (
        ops.Conv2d(3, 8, 3, padding=1),
        ops.ReLU(),
        ops.Flatten(),
        ops.Linear(512, 400),
        ops.ReLU(),
        ops.Linear(400, 1000),
        ops.ReLU(),
        ops.Linear(1000, 40),
        ops.ReLU(),
        ops.Linear(40, 20),
    )
    graph = chain(*words, shape=(3, 8, 8))
    return Bundle(graph, random_weights(graph), (), {}, {})


def test_only_where_it_is_faster_and_the_plan_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.engine.lanes.suits", lambda *_: False)  # as many lanes for both
    whole, half = (Network(network(), threads=1, precision=p).plan() for p in ("fp32", "bf16"))
    lines = {line.layers[0]: line for line in half.lines if line.kernel == "dense"}
    assert [line.storage for line in lines.values()] == ["bf16", "bf16", "bf16", "fp32"]
    before = {line.layers[0]: line for line in whole.lines}
    for name in ("n3", "n5"):
        lanes = host().lanes
        bias = 4 * lanes * -(-(400 if name == "n3" else 1000) // lanes)
        assert 2 * (lines[name].weight_bytes - bias) == before[name].weight_bytes - bias
        assert lines[name].chosen == "model, of 2"
    assert lines["n9"].weight_bytes == before["n9"].weight_bytes
    assert "bf16 weights in 3 layers: each is rounded by 2^-8 of itself at most" in str(half)
    assert "expected to be off by 1.6e-03" in str(half)
    assert f"{lines['n3'].weight_bytes / 1024:.0f} bf16" in str(half)
    assert "bf16" not in str(whole)


def test_the_error_of_each_layer_is_the_expected_one() -> None:
    plan = Network(network(), threads=1, precision="bf16").plan(check=True)
    found = {line.storage: line.error for line in plan.lines if line.kernel == "dense"}
    assert found["bf16"] == pytest.approx(EXPECTED, rel=0.3) and found["fp32"] < 1e-6  # type: ignore[operator]


@pytest.mark.parametrize(
    "name",
    [
        "lenet5",
        *(
            pytest.param(name, marks=pytest.mark.long)
            for name in ("alexnet", "vgg16", "mobilenet_v2", "resnet50", "efficientnet_b0")
        ),
    ],
)
def test_whole_networks_stay_within_a_fiftieth(name: str) -> None:
    """Against float64 with the weights as they are, and with products of bf16 where the machine has them."""
    torch.manual_seed(0)
    known = card(name)
    graph, weights = capture(create(name).eval(), (1, known.channels, *known.image_size))
    answer = Network(Bundle(graph, weights, (), {}, {}), precision="bf16")
    inputs = random_inputs(graph, 1)
    (image,) = inputs.values()
    error = relative_error(answer(image), run(graph, weights, inputs))  # type: ignore[arg-type]
    assert error < 2e-2


# --- how it is asked for ----------------------------------------------------------------------------------


def storages(answer: Network) -> set[str]:
    return {line.storage for line in answer.plan().lines}


def test_a_bundle_may_ask_for_it(tmp_path: Path) -> None:
    write_bundle(tmp_path / "whole", network())
    write_bundle(tmp_path / "half", replace(network(), precision="bf16"))
    assert read_bundle(tmp_path / "half").precision == "bf16"
    assert (
        storages(load(tmp_path / "whole")) == storages(load(tmp_path / "half", precision="fp32")) == {"fp32"}
    )
    asked, unasked = load(tmp_path / "whole", precision="bf16"), load(tmp_path / "half")
    assert storages(asked) == storages(unasked) == {"fp32", "bf16"}
    assert repr(asked).endswith("bf16)")
    x = np.random.default_rng(0).standard_normal((3, 3, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(asked(x), unasked(x))
    np.testing.assert_array_equal(load(tmp_path / "half")(x), asked(x))  # the second time it lies ready
    assert 1e-5 < relative_error(asked(x), load(tmp_path / "whole")(x)) < 1e-2


def test_the_command_line_asks_for_it(tmp_path: Path) -> None:
    words = (ops.Flatten(), ops.Linear(192, 300), ops.ReLU(), ops.Linear(300, 2))
    graph = chain(*words, shape=(3, 8, 8))
    how = Preprocessing((8, 8), 3).to_json()
    write_bundle(tmp_path / "b", Bundle(graph, random_weights(graph), ("cat", "dog"), how, {}))
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(tmp_path / "a.png")

    def shares(*options: str) -> list[float]:
        words = ["predict", str(tmp_path / "b"), str(tmp_path / "a.png"), "--json", *options]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        return [share for _, share in json.loads(done.output)[0]["top"]]

    whole = shares()
    assert shares("--precision", "fp32") == whole != shares("--precision", "bf16")
    np.testing.assert_allclose(shares("--precision", "bf16"), whole, atol=0.02)


def test_what_is_no_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="has precision 'int8': it must be one of fp32, bf16"):
        write_bundle(tmp_path / "b", replace(network(), precision="int8"))
    write_bundle(tmp_path / "b", network())
    for wrong in ("int8", "BF16", "", 16, ["bf16"], True):
        with pytest.raises(ArgumentError, match="precision must be one of fp32, bf16, got"):
            load(tmp_path / "b", precision=wrong)  # type: ignore[arg-type]
    record = (tmp_path / "b" / "card.json").read_text()
    (tmp_path / "b" / "card.json").write_text(record.replace('"precision": "fp32"', '"precision": ["bf16"]'))
    with pytest.raises(BundleError, match="has precision"):
        load(tmp_path / "b")


# --- the machine's check ------------------------------------------------------------------------------------


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is known of the machine; what is found out is forgotten afterwards."""
    monkeypatch.setenv(cache.FOLDER, str(tmp_path / "cache"))
    trust.trusted_precision.cache_clear()
    yield
    trust.trusted_precision.cache_clear()


def test_the_machine_is_checked_for_it(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not trust.remembered(host(), "bf16")
    assert trust.trusted_precision(host(), "fp32") and trust.trusted_precision(host(), "bf16")
    monkeypatch.setattr(trial, "disagreement", lambda *_: pytest.fail("it was not remembered"))
    trust.trusted_precision.cache_clear()
    assert trust.trusted_precision(host(), "bf16")


def test_the_check_meets_a_layer_with_such_weights() -> None:
    stores = replace(host(), dots=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert trial.disagreement(trial.compiled(stores, False, "bf16"), "bf16") < 1e-5
    assert trial.disagreement(trial.compiled(stores, False, "bf16")) > 1e-4  # weights that bf16 has not


def test_where_it_is_miscompiled_weights_stay_float32(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    original = trial.compiled

    def faulty(target: Target, exact: bool, precision: str = "fp32") -> trial.Answer:
        right = original(target, exact, precision)
        return (lambda *given: right(*given) * 1.5) if precision == "bf16" else right

    monkeypatch.setattr(trial, "compiled", faulty)
    answer = Network(network(), precision="bf16")
    with pytest.warns(RuntimeWarning, match="read bf16 weights disagree with their definition"):
        assert storages(answer) == {"fp32"}
