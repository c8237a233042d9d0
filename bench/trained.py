"""One run of ``striate train`` as a process of its own, and the line that says where and when runs were made."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path


def train(data: str, options: Sequence[str], seed: int) -> tuple[float, dict, dict]:
    """Seconds from process start to its end, report and bundle included; its result; its settings.json."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "striate", "train", data, *options, "--seed", str(seed)]
        began = time.time()
        done = subprocess.run([*command, "--run", str(run), "--json"], capture_output=True, text=True)
        seconds = time.time() - began
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return seconds, json.loads(done.stdout), json.loads((run / "settings.json").read_text())


def when_and_where(runs: dict[str, dict]) -> str:
    """The dates of the runs, and this machine."""
    import torch

    from striate.machine import describe

    dates = sorted({run["date"] for run in runs.values()})
    span = " to ".join(dict.fromkeys(dates[:1] + dates[-1:]))
    versions = f"torch {torch.__version__}, Python {platform.python_version()}"
    level = torch.backends.cpu.get_cpu_capability()
    return f"{span}, {describe()['processor']} ({level}), {os.cpu_count()} cores, {versions}"
