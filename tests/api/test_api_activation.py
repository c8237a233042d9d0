"""``activation``: written down, and the same wherever the network is built again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import striate
from striate import api
from striate.api.start import start_from
from striate.cli import app
from striate.errors import ArgumentError


def words(bundle: Path) -> set[str]:
    return set(re.findall(r"\w*ReLU\w*|SiLU", (bundle / "graph.json").read_text()))


def test_it_is_kept_in_run_and_bundle_and_by_those_who_start_from_them(
    pictures: Path, tmp_path: Path
) -> None:
    run = api.train(pictures, run=tmp_path / "run", epochs=1, threads=1, activation="leaky_relu")
    written = json.loads((run.path / "settings.json").read_text())
    assert written["model"]["activation"] == "leaky_relu"
    assert "LeakyReLU" in words(run.path / "bundle") and "ReLU" not in words(run.path / "bundle")
    measured = api.evaluate(run.path, pictures)
    assert (measured.accuracy, measured.loss) == pytest.approx((run.accuracy, run.result["loss"]), abs=1e-6)
    for asked, kept in (None, "leaky_relu"), ("silu", "silu"):
        start = start_from("auto", run.path, keep_size=False, activation=asked)
        assert start.activation == kept


def test_refusals_come_before_anything_is_written(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"activation must be one of .*, got 'swish'"):
        api.train(tmp_path / "not even there", activation="swish")
    with pytest.raises(ArgumentError, match="activation must be left out for a network without one"):
        api.train(pictures, model="neocognitron", image_size=16, activation="relu", run=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ArgumentError, match="activation must be left out with like"):
        api.train(like=tmp_path, activation="relu")


def test_advice_names_only_options_that_exist() -> None:
    shown = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "300"}).output
    source = Path(striate.__file__).parent / "training"
    said = [(source / f"{name}.py").read_text() for name in ("monitor", "layer_watch", "reporter")]
    named = {option for text in said for option in re.findall(r"--[a-z][a-z-]*[a-z]", text)}
    assert {"--activation", "--lr", "--warmup"} <= named
    assert all(f" {option} " in shown for option in named), named
