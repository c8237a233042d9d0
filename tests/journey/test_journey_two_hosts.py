"""One training on two hosts, which are two network namespaces of this machine joined by a cable."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from striate.runs import read_json, read_lines

LEAD, OTHER = "10.77.0.1", "10.77.0.2"
SHAPE = ["train", "fashion-mini", "--model", "lenet5", "--epochs", "1", "--batch-size", "512", "--precision",
         "fp32", "--threads", "1"]  # fmt: skip


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture
def hosts() -> Iterator[list[str]]:
    if os.geteuid() != 0:
        pytest.skip("namespaces of the network can only be made by root")
    names = [f"striate{os.getpid()}{letter}" for letter in "ab"]
    cables = [f"st{os.getpid() % 10**6}{letter}" for letter in "ab"]
    try:
        for name in names:
            ip("netns", "add", name)
        ip(
            "link",
            "add",
            cables[0],
            "netns",
            names[0],
            "type",
            "veth",
            "peer",
            "name",
            cables[1],
            "netns",
            names[1],
        )
        for name, cable, address in zip(names, cables, (LEAD, OTHER), strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", cable)
            ip("-n", name, "link", "set", cable, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@pytest.mark.apt
def test_two_hosts_train_as_one(hosts: list[str], tmp_path: Path) -> None:
    """Each with a disk of its own: only the first one's gets a run folder."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    started = []
    for number, host in enumerate(hosts):
        (tmp_path / host).mkdir()
        torchrun = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1",
                    f"--node-rank={number}",
                    f"--master-addr={LEAD}", "--master-port=29517", "-m", "striate", *SHAPE]  # fmt: skip
        started.append(
            subprocess.Popen(
                ["ip", "netns", "exec", host, sys.executable, *torchrun],
                cwd=tmp_path / host, env=environment, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True,
            )
        )  # fmt: skip
    said = [process.communicate(timeout=500)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0], "\n".join(said)
    assert "accuracy" in said[0] and "accuracy" not in said[1]
    first, second = (tmp_path / host / "runs" for host in hosts)
    run = first / "fashion-mini-lenet5-1"
    assert read_json(run / "settings.json")["device"]["processes"] == 2
    assert read_json(run / "result.json")["images"] == 2000 and not second.exists()
    alone = subprocess.run(
        [sys.executable, "-m", "striate", *SHAPE], cwd=tmp_path, env=environment, check=False
    )
    assert alone.returncode == 0
    mine, theirs = (
        read_lines(folder / "history.jsonl")[-1] for folder in (run, tmp_path / "runs/fashion-mini-lenet5-1")
    )
    for name in ("train_loss", "val_loss"):
        assert mine[name] == pytest.approx(theirs[name], rel=1e-4), name
