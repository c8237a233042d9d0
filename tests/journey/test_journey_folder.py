"""From a folder of PNGs to a prediction: the whole life of a network, through the command line."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from journey_world import answer, striate, within
from PIL import Image

from striate.data.named import CLASSES, read_named

CHOSEN = (0, 5, 8)  # T-shirt, sandal, bag: hard to confuse, so that a short training must learn them


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photos/<class>/*.png (60 a class) and a finished run of them."""
    home = tmp_path_factory.mktemp("journey")
    images, labels = read_named("fashion-mini")["train"]
    for label in CHOSEN:
        folder = home / "photos" / CLASSES[label].replace("/", "-")
        folder.mkdir(parents=True)
        for number, pixels in enumerate(images[labels == label][:60]):
            Image.fromarray(pixels.reshape(28, 28)).save(folder / f"{number:03d}.png")
    quick = ("--model", "striate_tiny", "--epochs", 8, "--threads", 1)
    done = striate("train", "photos", *quick, "--run", "run", "--json", cwd=home)
    result = answer(done)
    assert isinstance(result, dict)
    assert result["accuracy"] >= 0.85, "three easy classes"
    return home


def test_the_run_folder_holds_what_the_design_says(home: Path) -> None:
    run = home / "run"
    for name in ("settings.json", "data.json", "history.jsonl", "result.json", "network.json", "report.html"):
        assert (run / name).stat().st_size > 0, name
    for name in ("graph.json", "model.safetensors", "labels.json", "preprocessing.json", "card.json"):
        assert (run / "bundle" / name).stat().st_size > 0, name
    result = json.loads((run / "result.json").read_text())
    assert {
        "accuracy",
        "top5",
        "loss",
        "split",
        "images",
        "seconds",
        "epochs",
        "striate",
        "torch",
        "machine",
    } <= set(result)
    assert result["split"] == "val"
    assert len((run / "history.jsonl").read_text().splitlines()) == 8


def test_predicting_needs_no_torch_and_agrees_with_the_network(home: Path) -> None:
    """1e-5 between the trained module and the bundle, through the same files."""
    import torch

    from striate.api.carrying import build
    from striate.data.preprocess import Preprocessing

    paths = sorted((home / "photos").rglob("*.png"))[::20]
    code = (
        "import sys, json, striate\n"
        "out = striate.predict('run', sys.argv[1:], top=3)\n"
        "assert 'torch' not in sys.modules\n"
        "from dataclasses import asdict\n"
        "print(json.dumps([asdict(p) for p in out]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, paths)], cwd=home, capture_output=True, check=False
    )
    predicted = answer(done)
    assert isinstance(predicted, list)
    settings = json.loads((home / "run" / "settings.json").read_text())
    data = json.loads((home / "run" / "data.json").read_text())
    module = build({**settings["model"], "weights": home / "run" / "bundle" / "model.safetensors"}, seed=0)
    preprocessing = Preprocessing.from_json(data["preprocessing"])
    images = torch.from_numpy(preprocessing.normalise(preprocessing.decode(paths)))
    with torch.inference_mode():
        expected = module.eval()(images).softmax(1).numpy()
    for one, row in zip(predicted, expected, strict=True):
        ours = dict(one["top"])
        for index, name in enumerate(data["classes"]):
            assert abs(ours[name] - row[index]) < 1e-5


def test_predict_takes_files_folders_and_stdin(home: Path) -> None:
    some = sorted((home / "photos").rglob("*.png"))
    by_file = answer(striate("predict", "run", some[0], "--json", cwd=home))
    by_stdin = answer(striate("predict", "run", "-", "--json", cwd=home, stdin=some[0].read_bytes()))
    by_folder = answer(striate("predict", "run/bundle", some[0].parent, "--json", cwd=home))
    assert isinstance(by_file, list) and isinstance(by_stdin, list) and isinstance(by_folder, list)
    assert by_file[0]["top"] == by_stdin[0]["top"]
    assert len(by_folder) == 60
    shown = striate("predict", "run", some[0], cwd=home).stdout.decode()
    assert "%" in shown and "Next:" in shown


def test_predict_names_an_unreadable_image_and_answers_the_others(home: Path, tmp_path: Path) -> None:
    good = next((home / "photos").rglob("*.png"))
    for name in ("a.png", "c.png"):
        (tmp_path / name).write_bytes(good.read_bytes())
    (tmp_path / "b.png").write_bytes(good.read_bytes()[:60])
    done = striate("predict", "run", tmp_path, cwd=home)
    assert done.returncode == 1
    said, answered = done.stderr.decode(), done.stdout.decode()
    assert said.count("error:") == 1 and "b.png" in said
    assert "a.png" in answered and "c.png" in answered and "b.png" not in answered
    done = striate("predict", "run", tmp_path, "--json", cwd=home)
    assert done.returncode == 1 and done.stderr == b""
    entries = json.loads(done.stdout)
    assert [("error" in entry, Path(entry["key"]).name) for entry in entries] == [
        (False, "a.png"),
        (False, "c.png"),
        (True, "b.png"),
    ]
    (tmp_path / "a.png").unlink()
    (tmp_path / "c.png").unlink()
    nothing = striate("predict", "run", tmp_path, cwd=home)
    assert nothing.returncode == 1 and b"b.png" in nothing.stderr


def test_evaluate_says_the_same_as_the_training(home: Path) -> None:
    result = json.loads((home / "run" / "result.json").read_text())
    same = answer(within("evaluate", "run", "photos", "--json", cwd=home))
    assert isinstance(same, dict)
    assert same["split"] == "val", "of its own folder the images it was not trained on"
    assert same["accuracy"] == result["accuracy"]
    assert same["loss"] == pytest.approx(result["loss"], abs=1e-6)
    assert sum(line["support"] for line in same["per_class"]) == result["images"]


def test_evaluate_on_other_images(home: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(home / "photos", tmp_path / "others")
    whole = answer(within("evaluate", "run", tmp_path / "others", "--json", cwd=home))
    assert isinstance(whole, dict)
    assert whole["images"] == 180
    (tmp_path / "others" / "Unheard").mkdir()
    shutil.copy(next((home / "photos").rglob("*.png")), tmp_path / "others" / "Unheard" / "x.png")
    done = within("evaluate", "run", tmp_path / "others", cwd=home)
    assert done.returncode == 2
    assert b"Unheard" in done.stderr


def test_explain_reads_the_run(home: Path) -> None:
    done = within("explain", "run", cwd=home)
    assert done.returncode == 0, done.stderr.decode()
    assert "stem" in done.stdout.decode()


def test_a_finished_run_is_left_alone_by_resume(home: Path) -> None:
    before = (home / "run" / "result.json").read_bytes()
    done = within("train", "--resume", "run", cwd=home)
    assert done.returncode == 0, done.stderr.decode()
    assert (home / "run" / "result.json").read_bytes() == before


def test_resume_refuses_other_data_and_other_versions(home: Path, tmp_path: Path) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(home / "run", run)
    (run / "result.json").unlink()
    other = tmp_path / "photos"
    shutil.copytree(home / "photos", other)
    next(other.rglob("*.png")).unlink()
    done = within("train", other, "--resume", run, cwd=tmp_path)
    assert done.returncode == 2
    assert b"must be the images that" in done.stderr
    settings = json.loads((run / "settings.json").read_text())
    (run / "settings.json").write_text(json.dumps({**settings, "format": 99}))
    done = striate("train", "--resume", run, cwd=tmp_path)
    assert done.returncode == 2
    assert b"run format 99" in done.stderr


def test_a_run_without_result_is_finished_by_resume(home: Path, tmp_path: Path) -> None:
    """Killed between the last checkpoint and the report: resume trains nothing and writes the same result."""
    import shutil

    run = tmp_path / "run"
    shutil.copytree(home / "run", run)
    first = json.loads((run / "result.json").read_text())
    (run / "result.json").unlink()
    shutil.rmtree(run / "bundle")
    done = within("train", "--resume", run, "--json", cwd=home)
    again = answer(done)
    assert isinstance(again, dict)
    assert again["accuracy"] == first["accuracy"]
    assert again["loss"] == first["loss"]
    assert (run / "bundle" / "model.safetensors").read_bytes() == (
        home / "run" / "bundle" / "model.safetensors"
    ).read_bytes()


def test_the_run_folder_must_be_new(home: Path) -> None:
    done = within("train", "photos", "--run", "run", cwd=home)
    assert done.returncode == 2
    assert b"not empty" in done.stderr and b"--resume" in done.stderr


def test_too_small_an_image_names_the_layer(tmp_path: Path) -> None:
    for label in ("a", "b"):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for number in range(10):
            pixels = np.random.default_rng(number).integers(0, 255, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    done = within("train", "photos", "--model", "lenet5", cwd=tmp_path)
    assert done.returncode == 2
    assert "must be at least" in done.stderr.decode()
    assert not (tmp_path / "runs").exists(), "nothing is written for a request that cannot be met"
