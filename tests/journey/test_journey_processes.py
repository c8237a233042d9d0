"""One command in several processes: one of them is killed, all start again, and nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import striate
from striate.data.named import read_named
from striate.runs import read_lines

SHORT = ["--model", "lenet5", "--epochs", "1", "--precision", "fp32"]
SHAPE = ["fashion-mini", *SHORT, "--batch-size", "512"]
HERE = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def few_images(folder: Path) -> Path:
    """1,000 of the embedded images: five steps of an epoch are enough to be killed in."""
    images, labels = read_named("fashion-mini")["train"]
    np.savez(folder / "few.npz", images=images[:1000], labels=labels[:1000])
    return folder / "few.npz"


def start(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "striate", "train", *map(str, words)],
        env=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def workers(launcher: subprocess.Popen[str]) -> list[int]:
    """The processes of the training, in the order of their ranks."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    ranks = {}
    for child in children:
        told = dict(
            part.partition("=")[::2] for part in Path(f"/proc/{child}/environ").read_text().split("\0")
        )
        if "RANK" in told:
            ranks[int(told["RANK"])] = int(child)
    return [ranks[rank] for rank in sorted(ranks)]


def wait_for_checkpoint(run: Path, launcher: subprocess.Popen[str]) -> None:
    while not list(run.glob("checkpoints/step-*")):
        assert launcher.poll() is None, launcher.communicate()
        time.sleep(0.02)


def weights(run: Path) -> dict[str, np.ndarray]:
    return load_file(run / "bundle/model.safetensors")


def test_a_killed_process_is_started_again(tmp_path: Path) -> None:
    few = few_images(tmp_path)
    shape = [few, *SHORT, "--batch-size", "160"]
    run, alone = tmp_path / "many", tmp_path / "one"
    launcher = start(*shape, "--run", run, "--processes", 2, "--max-restarts=2", "--checkpoint-steps", 1)
    wait_for_checkpoint(run, launcher)
    os.kill(workers(launcher)[1], signal.SIGKILL)
    _, said = launcher.communicate(timeout=280)
    assert launcher.returncode == 0, said
    assert "resumed at step" in said and "Traceback" not in said and "error" not in said, said
    striate.train(few, run=alone, model="lenet5", epochs=1, precision="fp32", batch_size=160)
    mine, theirs = (read_lines(folder / "history.jsonl") for folder in (run, alone))
    for name in ("train_loss", "val_loss"):
        assert mine[-1][name] == pytest.approx(theirs[-1][name], rel=1e-4), name


@pytest.mark.long
@pytest.mark.parametrize("processes", [2, 4])
def test_killed_and_undisturbed_are_equal_bit_for_bit(processes: int, tmp_path: Path) -> None:
    runs = [tmp_path / "killed", tmp_path / "undisturbed"]
    for run in runs:
        launcher = start(*SHAPE, "--run", run, "--processes", processes, "--max-restarts", 2,
                         "--checkpoint-steps", 3)  # fmt: skip
        if run is runs[0]:
            wait_for_checkpoint(run, launcher)
            os.kill(workers(launcher)[0], signal.SIGKILL)
        _, said = launcher.communicate(timeout=500)
        assert launcher.returncode == 0, said
    mine, theirs = map(weights, runs)
    for name, tensor in mine.items():
        np.testing.assert_array_equal(tensor, theirs[name], err_msg=name)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_all_stop_together_and_go_on(number: int, tmp_path: Path) -> None:
    run = tmp_path / "run"
    launcher = start(*SHAPE, "--run", run, "--processes", 2, "--checkpoint-steps", 2)
    wait_for_checkpoint(run, launcher)
    launcher.send_signal(number)
    _, said = launcher.communicate(timeout=280)
    assert launcher.returncode == 130 and "Traceback" not in said, said
    assert said.count("Continue with: striate train --resume") == 1, said
    again = start("--resume", run, "--processes", 2)
    _, said = again.communicate(timeout=280)
    assert again.returncode == 0 and "resumed at step" in said, said


@pytest.mark.long
def test_a_wrong_request_is_one_sentence_and_is_not_repeated(tmp_path: Path) -> None:
    many = ["--processes", 2, "--max-restarts", 3, "--run", tmp_path / "run"]
    for words, message in (
        (["no/such/folder"], "no/such/folder"),
        (["fashion-mini", "--model", "resnet81"], "resnet81"),
        (["fashion-mini", "--lr", "1e30", "--model", "lenet5", "--epochs", "1"], "no longer a number"),
    ):
        launcher = start(*words, *many)
        _, said = launcher.communicate(timeout=280)
        assert launcher.returncode in (1, 2) and "Traceback" not in said, said
        assert said.count("error: ") == 1 and message in said, said


@pytest.mark.long
def test_killed_without_a_restart(tmp_path: Path) -> None:
    run = tmp_path / "run"
    launcher = start(*SHAPE, "--run", run, "--processes", 2, "--checkpoint-steps", 1)
    wait_for_checkpoint(run, launcher)
    os.kill(workers(launcher)[1], signal.SIGKILL)
    _, said = launcher.communicate(timeout=280)
    assert launcher.returncode == 1 and said.count("error: ") == 1 and "Traceback" not in said, said
    assert "number 1 was ended (SIGKILL): continue with striate train --resume" in said


@pytest.mark.long
def test_folds_of_two_processes(tmp_path: Path) -> None:
    run = tmp_path / "run"
    launcher = start(*SHAPE, "--run", run, "--processes", 2, "--folds", 2)
    _, said = launcher.communicate(timeout=500)
    assert launcher.returncode == 0, said
    result = json.loads((run / "result.json").read_text())
    assert len(result["folds"]) == 2 and (run / "fold-2/bundle/model.safetensors").exists()
