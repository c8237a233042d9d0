"""Test-time mirroring: one setting decides what is measured, written down and answered by the bundle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate
from striate import api
from striate.api.choices import choose
from striate.api.start import start_from
from striate.bundle import read_bundle
from striate.data.catalogue import open_dataset
from striate.errors import ArgumentError


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> api.Run:
    place = tmp_path_factory.mktemp("mirrored") / "run"
    return api.train(
        pictures, run=place, model="striate_tiny", epochs=1, threads=1, augmentation={"flip": True}
    )


def test_what_is_reported_is_what_the_bundle_answers(run: api.Run, pictures: Path) -> None:
    assert json.loads((run.path / "settings.json").read_text())["settings"]["test_time_mirror"]
    assert read_bundle(run.path / "bundle").mirror
    told = json.loads((run.path / "insight" / "predictions.json").read_text())
    files = [pictures / key for key in told]
    for file, answer in zip(files, run.predict(*files), strict=True):
        known = told[str(file.relative_to(pictures))]
        assert (answer.label, round(answer.probability, 4)) == (
            known["predicted"],
            pytest.approx(known["probability"], abs=1e-4),
        )
    again = api.evaluate(run.path, pictures)
    assert (again.accuracy, again.loss) == pytest.approx((run.accuracy, run.result["loss"]), abs=1e-6)
    assert again.one_pass == run.result["one_pass"]["accuracy"]
    assert run.result["one_pass"]["loss"] != run.result["loss"]
    assert "mean over the image and its mirror image" in (run.path / "report.html").read_text()


def test_one_pass_can_be_had(run: api.Run) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 12, 12, 3), np.uint8)
    both, alone = striate.load(run.path), striate.load(run.path, mirror=False)
    mean = (alone(image) + alone(np.ascontiguousarray(image[:, :, ::-1]))) / 2
    np.testing.assert_allclose(both(image), mean, atol=1e-6)
    sample = run.sample
    assert api.predict(run.path, [sample], mirror=False) != api.predict(run.path, [sample])


def test_it_is_taken_over_and_given_up(run: api.Run, tmp_path: Path) -> None:
    same = api.train(like=run.path, run=tmp_path / "same")
    assert same.result["accuracy"] == run.accuracy and same.result["one_pass"] == run.result["one_pass"]
    other = api.train(like=run.path, run=tmp_path / "other", test_time_mirror=False)
    assert "one_pass" not in other.result and not read_bundle(other.path / "bundle").mirror
    assert other.result["loss"] == run.result["one_pass"]["loss"]


def test_a_remedy_that_works_is_named_where_a_run_is_taken_over(run: api.Run, tmp_path: Path) -> None:
    settings = run.path / "settings.json"
    written = json.loads(settings.read_text())
    written["augmentation"]["flip"] = False
    copy = tmp_path / "unmirrored"
    shutil.copytree(run.path, copy)
    (copy / "settings.json").write_text(json.dumps(written))
    with pytest.raises(ArgumentError, match="leave test_time_mirror out, or train, not like another run"):
        api.train(like=copy, run=tmp_path / "other", test_time_mirror=True)


def chosen(data: Path | None, given: dict[str, Any], varied: dict[str, Any] | None = None) -> bool:
    dataset = open_dataset(data)
    start = start_from("auto", None, keep_size=False).settled(dataset.image_size)
    return bool(choose(dataset, start, given, varied).settings["test_time_mirror"])


def test_who_gets_it_unasked(pictures: Path, tmp_path: Path) -> None:
    assert chosen(None, {}) and chosen(pictures, {"epochs": 5})
    assert not chosen(None, {"epochs": 1}) and not chosen(
        None, {}, {"flip": False}
    )  # images are not mirrored
    assert not chosen(None, {"test_time_mirror": False})
    with pytest.raises(
        ArgumentError, match="test_time_mirror must go with training images that are mirrored"
    ):
        api.train(pictures, run=tmp_path / "run", test_time_mirror=True, augmentation={"flip": False})
    with pytest.raises(ArgumentError, match="test_time_mirror must be True or False, got 'yes'"):
        api.train(pictures, run=tmp_path / "run", test_time_mirror="yes")
    assert not (tmp_path / "run").exists()
