"""The range test finds a rate at which a network learns, and stops where it breaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import training_world as world

from striate import api
from striate.errors import ArgumentError, TrainingError
from striate.training.range_test import HIGHEST, LOWEST, range_test

SETTINGS = replace(world.SETTINGS, optimiser="sgd")


def test_the_suggestion_is_where_the_loss_falls() -> None:
    seen: list[tuple[int, int]] = []
    found = range_test(world.network(), world.Blobs(), SETTINGS, on_progress=lambda *at: seen.append(at))
    assert LOWEST < found.suggestion <= found.lowest < HIGHEST
    assert list(found.rates) == sorted(found.rates) and len(found.rates) == len(found.losses)
    assert found.losses[found.rates.index(found.suggestion)] < found.losses[0]
    assert seen[-1] == (100, 100)
    again = range_test(world.network(), world.Blobs(), SETTINGS)
    assert again == found


def test_no_batch() -> None:
    with pytest.raises(TrainingError, match="There is no whole batch"):
        range_test(world.network(), world.Blobs(steps=0), SETTINGS)


def test_find_lr_draws_a_picture(tmp_path: Path) -> None:
    for name, begins in (("lr.svg", b"<?xml"), ("lr.PNG", b"\x89PNG")):
        picture = tmp_path / name
        found = api.find_lr("fashion-mini", model="striate_tiny", steps=20, out=picture, threads=1)
        assert picture.read_bytes().startswith(begins)
    assert found.usual == 0.012 and found.to_json()["suggestion"] == found.test.suggestion


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"out must end in \.svg, \.png, \.pdf, got .*lr\.gif: name"):
        api.find_lr(out=tmp_path / "lr.gif")
    with pytest.raises(ArgumentError, match="steps must be a whole number of at least 20, got 5: give"):
        api.find_lr(steps=5)
