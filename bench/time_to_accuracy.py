"""How soon is Fashion-MNIST (60,000 images) learned? striate beside the examples of PyTorch, Keras and fastai.

Each run is a process of its own, alone on the machine; the clock starts when the process is started. striate runs a
recipe for each target, and its time runs until the process ends, report and bundle included. A rival trains until an
epoch's test accuracy reaches the highest target, its evaluations included; when it passed the lower ones is read from
the same run. After --cap seconds it is stopped: it was not there.

    python bench/time_to_accuracy.py [--minutes 25] [--cap 240] [--seeds 5,5,3] [--rival-seeds 1] [--packages FOLDER]

Every finished run is kept in results/time_to_accuracy.json, and the table is written anew from it, so a bench that was
stopped goes on where it was. --minutes: no run is begun later. --packages: where Keras and fastai are, if not
installed (pip install --target FOLDER --no-deps, so that torch stays what it is); who is not there is left out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from time_to_accuracy_table import RAW, publish
from trained import train

HERE = Path(__file__).parent
RECIPES = {  # target: what striate train is given; docs/log.md says how they were chosen
    0.91: "--model striate_tiny --epochs 2 --batch-size 128 --lr 0.012",
    0.92: "--model striate_tiny --epochs 4 --batch-size 128 --lr 0.012",
    0.93: "--model striate_base --epochs 4 --batch-size 128 --lr 0.01",
}
RIVALS = {  # name: script, options, Keras's backend, the package it needs
    "PyTorch example, Adam": ("pytorch_example.py", ("--optimiser", "adam"), None, "torch"),
    "PyTorch example, Adadelta": ("pytorch_example.py", (), None, "torch"),
    "Keras 3 example, torch backend": ("keras_convnet.py", (), "torch", "keras"),
    "Keras 3 example, JAX backend": ("keras_convnet.py", (), "jax", "jax"),
    "fastai, fastbook's chapter 13": ("fastai_convnet.py", (), None, "fastai"),
    "fastai, the same with 28 epochs": ("fastai_convnet.py", ("--epochs", "28"), None, "fastai"),
}


@dataclass(frozen=True)
class Work:
    """One run to be done: a contestant with its seed, and of striate the target."""

    name: str
    seed: int
    target: float | None = None

    @property
    def key(self) -> str:
        return (
            f"{self.name} {RECIPES[self.target]} seed {self.seed}"
            if self.target
            else f"{self.name} seed {self.seed}"
        )


def ours(work: Work, options: argparse.Namespace) -> dict:
    seconds, result, _ = train(options.data, RECIPES[work.target].split(), work.seed)
    return {"seconds": seconds, "training_seconds": result["seconds"], "accuracy": result["accuracy"]}


def rival(work: Work, options: argparse.Namespace) -> dict:
    """The accuracy after each epoch until the highest target is reached, or the cap is."""
    script, extra, backend, _ = RIVALS[work.name]
    environment = os.environ | ({"KERAS_BACKEND": backend} if backend else {}) | {"PYTHONUNBUFFERED": "1"}
    if options.packages:
        paths = [str(options.packages), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    began = time.time()
    command = [sys.executable, str(HERE / "rivals" / script), "--seed", str(work.seed), "--began", str(began)]
    command += ["--target", str(max(RECIPES)), *extra]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        end = threading.Timer(options.cap, process.kill)
        end.start()
        epochs = [json.loads(line) for line in process.stdout if line.startswith("{")]
        code = process.wait()
        end.cancel()
        stopped = code < 0  # by a signal
        if code and not stopped:
            errors.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{errors.read()[-3000:]}")
    return {"epochs": epochs, "seconds": time.time() - began, "stopped": stopped}


def plan(seeds: list[int], rival_seeds: int, packages: Path | None) -> list[Work]:
    """What is dear last: a run for each target, the nearest target's further seeds, the rivals, the rest."""
    first = [Work("striate", 0, target) for target, count in zip(RECIPES, seeds, strict=True) if count]
    rivals = [
        Work(name, seed)
        for seed in range(rival_seeds)
        for name, (*_, package) in RIVALS.items()
        if _has(package, packages)
    ]
    further = {
        target: [Work("striate", seed, target) for seed in range(1, count)]
        for target, count in zip(RECIPES, seeds, strict=True)
    }
    nearest, *others = further.values()
    return [*first, *nearest, *rivals, *(work for some in others for work in some)]


def _has(package: str, packages: Path | None) -> bool:
    import importlib.util

    return bool(packages and (packages / package).exists()) or importlib.util.find_spec(package) is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1e9, help="no run is begun later")
    parser.add_argument("--cap", type=float, default=240, help="seconds after which a rival is stopped")
    parser.add_argument("--seeds", default="5,5,3", help="of striate, for each target")
    parser.add_argument("--rival-seeds", type=int, default=1)
    parser.add_argument("--packages", type=Path, help="a folder with Keras and fastai in it")
    parser.add_argument(
        "--data", default="fashion-mnist", help="of striate; another set is for trying this out"
    )
    parser.add_argument(
        "--raw", type=Path, default=RAW, help="where the runs are kept; the table lies beside it"
    )
    options = parser.parse_args()
    began = time.time()
    raw = json.loads(options.raw.read_text()) if options.raw.exists() else {}
    for work in plan(
        [int(count) for count in options.seeds.split(",")], options.rival_seeds, options.packages
    ):
        known = raw.get(work.key)
        if known and not (known.get("stopped") and known["seconds"] < options.cap - 1):
            continue
        if time.time() - began > 60 * options.minutes:
            print("The time is over; the same command goes on where this one stopped.")
            break
        found = (ours if work.target else rival)(work, options)
        about = {
            "name": work.name,
            "seed": work.seed,
            "target": work.target,
            "date": time.strftime("%Y-%m-%d"),
        }
        raw[work.key] = about | found
        print(work.key, {key: value for key, value in found.items() if key != "epochs"}, flush=True)
        publish(raw, RECIPES, options.raw)
    publish(raw, RECIPES, options.raw)


if __name__ == "__main__":
    main()
