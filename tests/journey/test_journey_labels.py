"""Several labels an image, and two classes by one output: from a CSV to thresholds, a page and a bundle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import striate

CORNERS = {
    "red": (0, 0, 0),
    "green": (1, 1, 6),
    "blue": (2, 10, 4),
}  # channel, row, column of a bright square


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """list.csv of 240 images with any of three coloured squares, and a finished run of them."""
    home = tmp_path_factory.mktemp("labels")
    random = np.random.default_rng(0)
    rows = ["path,label,split"]
    for number in range(240):
        pixels = random.integers(0, 60, (16, 16, 3))
        names = [name for name in CORNERS if random.random() < 0.4]
        for name in names:
            channel, top, left = CORNERS[name]
            pixels[top : top + 6, left : left + 6, channel] += 150
        Image.fromarray(pixels.astype(np.uint8)).save(home / f"{number}.png")
        split = "train" if number < 160 else "val" if number < 200 else "test"
        rows.append(f"{number}.png,{'|'.join(names)},{split}")
    (home / "list.csv").write_text("\n".join(rows))
    settings = {"model": "striate_tiny", "threads": 1, "batch_size": 16}
    striate.train(home / "list.csv", run=home / "run", epochs=6, balance="loss", augment="none", **settings)
    return home


def test_the_result_has_average_precision_and_thresholds(home: Path) -> None:
    result = json.loads((home / "run/result.json").read_text())
    assert result["split"] == "test" and result["images"] == 40 and result["thresholds_from"] == "val"
    assert result["mean_average_precision"] > 0.9 and result["top5"] is None
    assert [row["class"] for row in result["labels"]] == ["blue", "green", "red"]
    assert all(0 < row["threshold"] < 1 and row["f1"] > 0.7 for row in result["labels"])
    data = json.loads((home / "run/data.json").read_text())
    assert data["task"] == "labels" and data["splits"]["train"]["images"] == 160


def test_the_bundle_answers_label_by_label_without_torch(home: Path) -> None:
    code = (
        "import sys, json, striate\n"
        "found = striate.predict('run', ['200.png', '201.png', '202.png'], top=3)\n"
        "net = striate.load('run')\n"
        "print(json.dumps([[p.labels, dict(p.top)] for p in found]))\n"
        "sys.exit(int('torch' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=home, capture_output=True, check=True)
    thresholds = {row["class"]: row["threshold"] for row in striate.api.Run(home / "run").result["labels"]}
    for labels, shares in json.loads(done.stdout):
        assert set(shares) == {"red", "green", "blue"}
        assert set(labels) == {name for name, share in shares.items() if share >= thresholds[name]}


def test_evaluate_says_the_same_and_the_page_has_the_labels(home: Path) -> None:
    result = json.loads((home / "run/result.json").read_text())
    again = striate.api.evaluate(home / "run", home / "list.csv")
    assert again.mean_average_precision == pytest.approx(result["mean_average_precision"])
    assert again.split == "test" and list(again.per_class) == result["labels"]
    page = (home / "run/report.html").read_text()
    for words in ("mean average precision over the labels", "Label by label", "Said, and not there"):
        assert words in page
    assert "mistakes.json is not there" not in page


def test_a_bundle_without_its_thresholds_is_refused(home: Path) -> None:
    card = home / "run/bundle/card.json"
    text = card.read_text()
    record = json.loads(text)
    record["card"]["thresholds"] = record["card"]["thresholds"][:2]
    try:
        card.write_text(json.dumps(record))
        with pytest.raises(
            striate.errors.BundleError, match=r"a threshold for each of the 3 labels, got \[0"
        ):
            striate.load(home / "run")
    finally:
        card.write_text(text)


def test_two_classes_by_one_output(home: Path) -> None:
    rows = ["path,label"]
    for number in range(0, 240, 2):
        pixels = np.asarray(Image.open(home / f"{number}.png"))
        rows.append(f"{number}.png,{'red' if pixels[:6, :6, 0].mean() > 100 else 'other'}")
    (home / "two.csv").write_text("\n".join(rows))
    run = striate.train(
        home / "two.csv",
        run=home / "two",
        task="binary",
        model="striate_tiny",
        epochs=6,
        batch_size=16,
        threads=1,
        balance="sampler",
        augment="none",
    )
    assert run.accuracy > 0.9
    network = striate.load(run.path)
    pixels = np.stack([np.asarray(Image.open(home / f"{number}.png")) for number in range(4)])
    logits = network(pixels)
    assert logits.shape == (4, 2) and (logits[:, 0] == 0).all()
    np.testing.assert_allclose(
        network.probabilities(pixels)[:, 1], 1 / (1 + np.exp(-logits[:, 1])), rtol=1e-5
    )
    (one,) = run.predict(home / "0.png")
    assert {label for label, _ in one.top} == {"other", "red"} and one.labels is None
    with pytest.raises(striate.errors.DataError, match=r"gives several labels to an image"):
        striate.train(home / "list.csv", task="binary", run=home / "three")
    with pytest.raises(striate.errors.ArgumentError, match=r"task must not be 'binary' unless there are two"):
        striate.train("fashion-mini", task="binary", run=home / "three")
