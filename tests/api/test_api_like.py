"""A run's settings.json is enough to repeat it, to the last bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from striate import api
from striate.errors import ArgumentError, RunError


@pytest.fixture(scope="module")
def first(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("first") / "run"
    return api.train(
        pictures, run=run, epochs=2, seed=7, threads=1, augmentation={"flip": True}, deterministic=True
    ).path


def weights(run: Path) -> bytes:
    return (run / "bundle" / "model.safetensors").read_bytes()


def test_the_same_weights(first: Path, tmp_path: Path) -> None:
    again = api.train(like=first, run=tmp_path / "again").path
    assert weights(again) == weights(first)
    one, two = (json.loads((run / "settings.json").read_text()) for run in (first, again))
    assert one["augmentation"] == two["augmentation"] and two["settings"]["seed"] == 7
    assert not torch.are_deterministic_algorithms_enabled()


def test_what_is_given_replaces_what_was_chosen(first: Path, tmp_path: Path) -> None:
    other = api.train(like=first, run=tmp_path / "other", seed=8).path
    assert weights(other) != weights(first)


def test_what_differs_is_said(first: Path, pictures: Path, tmp_path: Path) -> None:
    heard: list[str] = []
    Image.new("RGB", (12, 12)).save(pictures / "dark" / "new.png")
    try:
        api.train(like=first, run=tmp_path / "run", epochs=1, listeners=[lambda e: heard.append(str(e))])
    finally:
        (pictures / "dark" / "new.png").unlink()
    assert any(f"The images are not those of {first}: the result will be another." in said for said in heard)


def test_the_root_of_a_list_is_not_that_of_other_data(pictures: Path, tmp_path: Path) -> None:
    rows = [f"{path.relative_to(pictures)},{path.parent.name}" for path in sorted(pictures.rglob("*.png"))]
    table = tmp_path / "list.csv"
    table.write_text("\n".join(["path,label", *rows]))
    listed = api.train(
        table, root=pictures, run=tmp_path / "listed", model="lenet5", epochs=1, threads=1
    ).path
    again = api.train(pictures, like=listed, run=tmp_path / "again").path
    assert weights(again) == weights(listed)
    roots = [json.loads((run / "settings.json").read_text())["data"]["root"] for run in (listed, again)]
    assert roots == [str(pictures.resolve()), None]
    with pytest.raises(ArgumentError, match="--root must come with a CSV, got fashion-mini: leave it out"):
        api.train("fashion-mini", root=pictures, run=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_refusals(first: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="image_size must be left out with like, whose run"):
        api.train(like=first, image_size=32)
    with pytest.raises(RunError, match="RUN must be a run folder"):
        api.train(like=tmp_path / "none")
    with pytest.raises(ArgumentError, match="epochs must be a whole number of at least 1, got 0"):
        api.train(like=first, epochs=0)
