"""Training images per second on a CPU: striate's step beside plain torch, in turns, batch 32 at 224x224.

    eager         torch as in timm's and torchvision's scripts: fp32, NCHW, torch.optim.SGD, malloc as it is
    eager tuned   the same, channels_last, with glibc told to keep freed memory
    striate       what striate train does in a step (precision and layout as it chooses, SGD)

Each contestant is a process of its own with the same weights of the same network (striate's own catalogue) and the
same images; one step each, in turn, after --warm of them that do not count. Ratios are medians over the rounds.

    python bench/training_speed.py [--rounds 5] [--warm 2] [--networks resnet18 mobilenet_v2 ...] [--out results/training_speed.json]
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

NETWORKS = ("resnet18", "resnet50", "mobilenet_v2", "efficientnet_b0", "vgg16")
CONTESTANTS = ("eager", "eager tuned", "striate")
BATCH, SIDE = 32, 224


def contestant(kind: str, network: str) -> None:
    """Take a step for each line on stdin, and answer with its seconds."""
    import torch

    from striate.api.number_format import settled
    from striate.models import create
    from striate.training.convolution import own_convolutions
    from striate.training.device import place, usable_cores
    from striate.training.machine import keep_freed_memory, prepared
    from striate.training.objective import Objective
    from striate.training.optimiser import Optimiser
    from striate.training.settings import TrainSettings
    from striate.training.step import update

    torch.manual_seed(0)
    torch.set_num_threads(usable_cores())
    module = create(network).train()
    images, labels = torch.randn(BATCH, 3, SIDE, SIDE), torch.randint(0, 1000, (BATCH,))
    settings = settled(TrainSettings(optimiser="sgd", label_smoothing=0.0), network)
    if kind == "striate":
        where, objective = place(settings), Objective()
        with prepared(where), own_convolutions(module, where):
            module = where.move(module)
            optimiser = Optimiser(module, settings)
            images = images.contiguous(memory_format=torch.channels_last)
            answer(lambda: update(module, optimiser, images, labels, 0.01, settings, where, objective))
        return
    if kind == "eager tuned":
        keep_freed_memory()
        module = module.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    theirs = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)

    def step() -> None:
        loss = torch.nn.functional.cross_entropy(module(images), labels)
        theirs.zero_grad(set_to_none=True)
        loss.backward()
        theirs.step()

    answer(step)


def answer(step) -> None:
    for _ in sys.stdin:
        began = time.perf_counter()
        step()
        print(time.perf_counter() - began, flush=True)


def measure(network: str, rounds: int, warm: int, contestants: list[str]) -> dict:
    command = [sys.executable, __file__, "--network", network, "--contestant"]
    processes = {
        kind: subprocess.Popen([*command, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for kind in contestants
    }

    def turn(kind: str) -> float:
        processes[kind].stdin.write("go\n")
        processes[kind].stdin.flush()
        return float(processes[kind].stdout.readline())

    seconds = {kind: [] for kind in contestants}
    for number in range(rounds + warm):
        for kind in contestants:
            taken = turn(kind)
            if number >= warm:
                seconds[kind].append(taken)
    for process in processes.values():
        process.stdin.close()
        process.wait()
    return {
        "network": network,
        "rounds": rounds,
        "images_per_second": {
            kind: round(BATCH / statistics.median(taken), 2) for kind, taken in seconds.items()
        },
        "ratio_to": {
            kind: round(
                statistics.median(a / b for a, b in zip(seconds[kind], seconds["striate"], strict=True)), 3
            )
            for kind in contestants[:-1]
        },
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm", type=int, default=2, help="steps of each that do not count")
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--out", type=Path, help="a JSON file; networks that it holds already are replaced")
    parser.add_argument(
        "--beside",
        nargs="+",
        choices=CONTESTANTS[:-1],
        default=CONTESTANTS[:-1],
        help="rivals: VGG-16 takes 7 GB each",
    )
    parser.add_argument("--network")
    parser.add_argument("--contestant", choices=CONTESTANTS)
    options = parser.parse_args()
    if options.contestant:
        contestant(options.contestant, options.network)
        return
    import torch

    from striate.machine import describe

    found = json.loads(options.out.read_text())["measured"] if options.out and options.out.exists() else {}
    for network in options.networks:
        found[network] = measure(network, options.rounds, options.warm, [*options.beside, "striate"])
        print(
            json.dumps({key: value for key, value in found[network].items() if key != "seconds"}), flush=True
        )
        if options.out:
            about = {
                "date": time.strftime("%Y-%m-%d"),
                "torch": torch.__version__,
                "python": platform.python_version(),
            }
            about |= {
                "batch": BATCH,
                "side": SIDE,
                "cores": os.cpu_count(),
                "processor": describe()["processor"],
            }
            options.out.write_text(json.dumps(about | {"measured": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
