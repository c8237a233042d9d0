"""``folds``: as many runs, one summary; stopped at any point it goes on to the same end."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api_world import draw_pictures
from PIL import Image

from striate import api
from striate.bundle import read_bundle
from striate.errors import ArgumentError, DataError, RunError
from striate.training import events

ASKED: dict[str, Any] = {"folds": 2, "epochs": 1, "threads": 1, "model": "lenet5"}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of 20 pictures to learn from and 6 that are left out."""
    root = tmp_path_factory.mktemp("tree")
    for split, each in (("train", 10), ("test", 3)):
        (root / split).mkdir()
        draw_pictures(root / split, each)
    return root


@pytest.fixture(scope="module")
def crossed(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return api.train(pictures, run=tmp_path_factory.mktemp("crossed") / "run", **ASKED).path


def weights(run: Path) -> list[bytes]:
    return [(run / f"fold-{number}/bundle/model.safetensors").read_bytes() for number in (1, 2)]


def test_the_summary(crossed: Path) -> None:
    whole = api.Run(crossed)
    folds = [api.Run(crossed / f"fold-{number}").result for number in (1, 2)]
    assert whole.result["images"] == 20 and [fold["images"] for fold in folds] == [10, 10]
    accuracies = [fold["accuracy"] for fold in folds]
    assert whole.accuracy == pytest.approx(np.mean(accuracies), abs=1e-6)
    assert whole.result["accuracy_spread"] == pytest.approx(np.std(accuracies, ddof=1), abs=1e-6)
    found = json.loads((crossed / "insight/mistakes.json").read_text())
    assert found["top1"] == pytest.approx(whole.accuracy) and sum(map(sum, found["confusion"])) == 20
    assert [row["support"] for row in whole.result["per_class"]] == [10, 10]
    assert [fold["run"] for fold in whole.result["folds"]] == ["fold-1", "fold-2"]
    page = (crossed / "report.html").read_text()
    assert 'href="fold-2/report.html"' in page and "What is missing from this page" not in page
    assert api.report(crossed / "fold-2").exists()


def test_every_image_is_held_out_once_and_an_own_fold_is_measured_on_it(
    crossed: Path, pictures: Path
) -> None:
    held = [set(json.loads((crossed / f"fold-{k}/insight/predictions.json").read_text())) for k in (1, 2)]
    assert len(held[0] | held[1]) == 20
    again = api.evaluate(crossed / "fold-2", pictures)
    assert again.images == 10 and again.accuracy == api.Run(crossed / "fold-2").accuracy


def test_the_bundle_answers_with_the_mean_of_the_folds_networks(crossed: Path, pictures: Path) -> None:
    images = sorted((pictures / "test").rglob("*.png"))
    logits = []
    for number in (1, 2):
        bundle = read_bundle(crossed / f"fold-{number}/bundle")
        answers = api.load(crossed / f"fold-{number}").predict(images, top=2)
        logits.append(np.log([[dict(answer.top)[label] for label in bundle.labels] for answer in answers]))
    expected = np.exp(np.mean(logits, axis=0))
    expected /= expected.sum(axis=1, keepdims=True)
    answers = api.Run(crossed).predict(*images)
    found = np.array([[dict(answer.top)[label] for label in ("dark", "light")] for answer in answers])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    test = api.Run(crossed).result["test"]
    right = found.argmax(axis=1) == [path.parent.name == "light" for path in images]
    assert test["images"] == 6 and len(test["folds"]) == 2 and test["accuracy"] == right.mean()
    again = api.evaluate(crossed, pictures)
    assert (again.accuracy, again.folds, again.split) == (test["accuracy"], tuple(test["folds"]), "test")
    assert again.loss == pytest.approx(-np.log(found[np.arange(6), [0] * 3 + [1] * 3]).mean(), abs=1e-5)
    with pytest.raises(DataError, match=r"of .* only a test split is: give other images"):
        api.evaluate(crossed, pictures, split="train")
    assert "test images, which none of them has seen" in (crossed / "report.html").read_text()


def test_folds_without_a_bundle_get_it(crossed: Path, pictures: Path, tmp_path: Path) -> None:
    shutil.copytree(crossed, old := tmp_path / "old")
    shutil.rmtree(old / "bundle")
    with pytest.raises(RunError, match="--resume"):
        api.predict(old, [next(pictures.rglob("*.png"))])
    api.resume(old)
    assert read_bundle(old / "bundle").identity == read_bundle(crossed / "bundle").identity
    assert api.Run(old).result == api.Run(crossed).result


def test_interrupted_in_the_second_fold(crossed: Path, pictures: Path, tmp_path: Path) -> None:
    said: list[str] = []

    def stop(event: Any) -> None:
        said.append(str(getattr(event, "message", "")))
        if isinstance(event, events.StepDone) and (tmp_path / "run/fold-2").exists():
            os.kill(os.getpid(), signal.SIGINT)

    run = api.train(pictures, run=tmp_path / "run", listeners=[stop], **ASKED)
    assert not run.finished and run.path == tmp_path / "run"
    assert said[-1].endswith(f"striate train --resume {tmp_path / 'run'}")
    again = api.resume(tmp_path / "run")
    assert again.finished and weights(again.path) == weights(crossed)
    assert again.accuracy == api.Run(crossed).accuracy


def test_other_images_are_refused_in_a_fold_that_has_not_begun(
    crossed: Path, pictures: Path, tmp_path: Path
) -> None:
    half = tmp_path / "run"
    half.mkdir()
    for name in ("settings.json", "data.json"):
        (half / name).write_bytes((crossed / name).read_bytes())
    extra = pictures / "train" / "dark" / "new.png"
    Image.new("RGB", (12, 12)).save(extra)
    try:
        with pytest.raises(RunError, match=r"DATA must be the images that .*run began with"):
            api.resume(half)
    finally:
        extra.unlink()


def test_one_network_with_the_same_choices(crossed: Path, tmp_path: Path) -> None:
    one = api.train(like=crossed, run=tmp_path / "one", seed=3)
    settings = json.loads((one.path / "settings.json").read_text())
    assert (
        "folds" not in settings
        and settings["model"]["name"] == "lenet5"
        and settings["settings"]["epochs"] == 1
    )
    half = tmp_path / "half"
    shutil.copytree(crossed, half, ignore=shutil.ignore_patterns("bundle", "result.json"))
    with pytest.raises(RunError, match=r"holds 2 folds and no bundle yet: finish it with .*--resume"):
        api.predict(half, ["a.png"])


def test_bad_numbers_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="folds must be a whole number from 2 to 100, got 1"):
        api.train(tmp_path / "nowhere", folds=1)
