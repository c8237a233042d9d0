"""How soon is Fashion-MNIST (60,000 images) learned? striate beside PyTorch's and Keras's own examples.

Each contestant is a process of its own; they take turns, one after the other, alone on the machine. The clock
starts when the process is started. A rival stops after the first epoch whose test accuracy reaches the target, its
evaluations included in the time; striate runs a fixed recipe that was chosen on a split of the training images,
and its time runs until the process ends, report and bundle included.

    .venv/bin/python bench/time_to_accuracy.py [--seeds 5] [--rival-seeds 2] [--target 0.91]
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
RECIPE = ["fashion-mnist", "--model", "striate_tiny", "--epochs", "2"]


def ours(seed: int) -> dict:
    folder = Path(tempfile.mkdtemp())
    began = time.time()
    command = [
        sys.executable,
        "-m",
        "striate",
        "train",
        *RECIPE,
        "--seed",
        str(seed),
        "--run",
        str(folder / "run"),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, check=True)
    seconds = time.time() - began
    result = json.loads(done.stdout)
    shutil.rmtree(folder)
    return {"seconds": seconds, "training_seconds": result["seconds"], "accuracy": result["accuracy"]}


def rival(script: str, seed: int, target: float, *options: str, backend: str | None = None) -> dict:
    environment = os.environ | ({"KERAS_BACKEND": backend} if backend else {})
    command = [
        sys.executable,
        str(HERE / "rivals" / script),
        "--seed",
        str(seed),
        "--target",
        str(target),
        *options,
    ]
    began = time.time()
    done = subprocess.run([*command, "--began", str(began)], capture_output=True, check=True, env=environment)
    epochs = [json.loads(line) for line in done.stdout.decode().splitlines() if line.startswith("{")]
    return epochs[-1] | {"reached": epochs[-1]["accuracy"] >= target, "epochs": epochs}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rival-seeds", type=int, default=2)
    parser.add_argument("--target", type=float, default=0.91)
    parser.add_argument("--only", default="", help="rivals whose name contains this")
    options = parser.parse_args()
    contestants = {
        "Keras 3 example, torch backend": lambda seed: rival(
            "keras_convnet.py", seed, options.target, backend="torch"
        ),
        "PyTorch example, Adam": lambda seed: rival(
            "pytorch_example.py", seed, options.target, "--optimiser", "adam"
        ),
        "PyTorch example, Adadelta": lambda seed: rival("pytorch_example.py", seed, options.target),
    }
    if _has("jax"):
        contestants["Keras 3 example, JAX backend"] = lambda seed: rival(
            "keras_convnet.py", seed, options.target, backend="jax"
        )
    contestants = {name: run for name, run in contestants.items() if options.only in name}
    runs: dict[str, list[dict]] = {"striate": [], **{name: [] for name in contestants}}
    for seed in range(max(options.seeds, options.rival_seeds)):
        if seed < options.seeds:
            runs["striate"].append(ours(seed))
            print("striate", runs["striate"][-1], flush=True)
            _publish(runs, options.target)
        if seed < options.rival_seeds:
            for name, run in contestants.items():
                runs[name].append(run(seed))
                last = {key: value for key, value in runs[name][-1].items() if key != "epochs"}
                print(name, last, flush=True)
                _publish(
                    runs, options.target
                )  # after each, so that a run that is cut short leaves what it has


def _has(module: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(module) is not None


def _publish(runs: dict[str, list[dict]], target: float) -> None:
    import torch

    lines = [
        "# Time to accuracy on Fashion-MNIST",
        "",
        f"{time.strftime('%Y-%m-%d')}, {_processor()}, {os.cpu_count()} cores, torch {torch.__version__}, "
        f"Python {platform.python_version()}. Wall clock from process start; all contestants in one run, in turn.",
        f"striate: `striate train {' '.join(RECIPE)}`, until the process ends (report and bundle included).",
        f"Rivals: until the first epoch whose test accuracy is at least {target:.0%}.",
        "",
        "| contestant | n | seconds, mean (min to max) | test accuracy, mean (min to max) | reached the target |",
        "|---|---|---|---|---|",
    ]
    for name, done in runs.items():
        if not done:
            continue
        seconds = [run["seconds"] for run in done]
        reached = [run["accuracy"] for run in done]
        there = sum(accuracy >= target for accuracy in reached)
        lines.append(
            f"| {name} | {len(done)} | {statistics.mean(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f}) "
            f"| {statistics.mean(reached):.2%} ({min(reached):.2%} to {max(reached):.2%}) | {there} of {len(done)} |"
        )
    path = HERE / "results" / "time_to_accuracy.md"
    path.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def _processor() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].split(":")[1].strip() if names else platform.processor()


main()
