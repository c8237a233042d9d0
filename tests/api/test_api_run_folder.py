"""A run folder that cannot be written, or whose files have been broken: a sentence, and nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate import api
from striate.errors import ArgumentError, DataError, RunError, StriateError, command
from striate.runs import RunFolder, append_line, read_lines


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures") / "my pictures"
    random = np.random.default_rng(0)
    for label, light in (("dark", 0), ("light", 128)):
        (root / label).mkdir(parents=True)
        for number in range(8):
            pixels = (random.integers(0, 128, (12, 12, 3)) + light).astype(np.uint8)
            Image.fromarray(pixels).save(root / label / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def finished(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("finished") / "run"
    return api.train(pictures, run=run, epochs=1, threads=1).path


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


BROKEN = ["", "{}", "[]", "null", '{"format": 1}', '{"format": 1, "data": null}', "\xff"]


@pytest.mark.parametrize("name", ["settings.json", "data.json", "result.json", "history.jsonl"])
@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_is_a_sentence_or_does_not_matter(
    run: Path, pictures: Path, name: str, content: str
) -> None:
    (run / name).write_bytes(content.encode("latin-1"))
    for verb in (
        lambda: api.evaluate(run, pictures),
        lambda: api.report(run),
        lambda: api.Run(run).to_json(),
        lambda: api.Run(run).sample,
    ):
        try:
            verb()
        except StriateError as error:
            assert str(run) in str(error)


def test_a_broken_history_does_not_keep_a_run_from_going_on(run: Path, pictures: Path) -> None:
    (run / "result.json").unlink()
    (run / "history.jsonl").write_text('{"epoch": 1}\n{"step"')
    assert api.resume(run, pictures).finished
    (run / "result.json").unlink()
    (run / "data.json").write_text("{}")
    with pytest.raises(
        RunError, match=r"data\.json must hold 'preprocessing', and does not: restore the file"
    ):
        api.resume(run, pictures)


def test_lines_that_are_no_objects(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b'{"a": 1}\n\xff')
    assert read_lines(path) == [{"a": 1}]
    path.write_bytes(b'3\n{"a": 1}\n')
    with pytest.raises(RunError, match="line 1 is no JSON object: remove the line"):
        read_lines(path)


def test_a_folder_that_has_gone_and_a_full_disk(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RunError, match=r"gone.history\.jsonl cannot be written \(No such file"):
        append_line(tmp_path / "gone" / "history.jsonl", {})
    before = RunFolder(run).report.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"report\.html cannot be written \(No space left on device\)"):
        api.report(run)
    assert RunFolder(run).report.read_bytes() == before
    with pytest.raises(RunError, match=r"data\.json cannot be written \(No space left on device\)"):
        api.train("fashion-mini", run=tmp_path / "new", epochs=1, threads=1)
    assert not (tmp_path / "new").exists()


def test_an_unfinished_run_says_how_it_goes_on(run: Path) -> None:
    (run / "network.json").unlink()
    shutil.rmtree(run / "bundle")
    for verb in (api.explain, lambda r: api.predict(r, ["x.png"])):
        with pytest.raises(RunError, match="its training has not finished: continue it with striate train"):
            verb(run)


def test_the_parts_of_the_runs_own_images(run: Path, pictures: Path) -> None:
    assert api.evaluate(run, pictures).split == "val"
    assert api.evaluate(run, pictures, split="all").images == 16
    with pytest.raises(DataError, match=r"split must be one of train, val, the parts of .*, got 'test'"):
        api.evaluate(run, pictures, split="test")
    other = Path(shutil.copytree(pictures, run / "other"))
    with pytest.raises(DataError, match="has no splits, got split 'val': leave it out"):
        api.evaluate(run, other, split="val")


def test_no_name_is_not_the_working_directory(run: Path) -> None:
    with pytest.raises(DataError, match="IMAGE must be a file or a folder, got nothing"):
        api.predict(run, [""])


@pytest.mark.parametrize(("setting", "value"), [("seed", 2**63), ("threads", 1025)])
def test_numbers_that_torch_cannot_take(pictures: Path, tmp_path: Path, setting: str, value: int) -> None:
    with pytest.raises(ArgumentError, match=rf"{setting} must be at most .*, got {value}: give"):
        api.train(pictures, run=tmp_path / "run", **{setting: value})
    assert not (tmp_path / "run").exists()


def test_two_threads_train_one_after_the_other(pictures: Path, finished: Path, tmp_path: Path) -> None:
    runs: list[api.Run] = []
    threads = [
        threading.Thread(
            target=lambda n=n: runs.append(api.train(pictures, run=tmp_path / n, epochs=1, threads=1))
        )
        for n in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = (finished / "bundle/model.safetensors").read_bytes()
    assert [(run.path / "bundle/model.safetensors").read_bytes() for run in runs] == [wanted, wanted]


def test_a_sample_is_named_from_where_one_stands(
    run: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pictures.parent)
    sample = api.Run(run).sample
    assert sample.startswith("my pictures") and Path(sample).is_file()
    assert command("predict", run, sample).endswith(f" '{sample}'")
    monkeypatch.chdir("/")
    assert Path(json.loads((run / "data.json").read_text())["sample"]) == pictures.parent / sample
