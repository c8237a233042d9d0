"""What do monitoring and progress cost? The same training with both and without either, in turns.

With: layers and activations are watched, events go to the progress bar (drawn, to nowhere) and into a history file.
Without: nothing is watched and nobody listens. Time is that of `fit` for one epoch, evaluation included; no
checkpoint is written on either side. The two take turns, each beginning every other round; alone on the machine.

Because such a difference drowns in the noise of a shared machine, the time within what is watched, told and drawn is
also added up: its share of the epoch counts a drawing in full, although another thread does it.

    .venv/bin/python bench/monitoring.py [--rounds 9] [--models striate_tiny,resnet20_cifar]
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, nullcontext, redirect_stderr
from pathlib import Path
from unittest.mock import patch

import torch
from rich.live import Live

from striate import create
from striate.cli.progress import TrainingProgress
from striate.data.batches import Batches
from striate.data.catalogue import open_dataset
from striate.runs import write_atomically
from striate.training import loop, monitor
from striate.training.history import HistoryFile
from striate.training.machine import describe
from striate.training.settings import TrainSettings

RESULT = Path(__file__).parent / "results" / "monitoring.md"


class Unwatched:
    """In the place of ``LayerWatch``."""

    def __init__(self, module: torch.nn.Module) -> None: ...

    def before(self) -> None: ...

    def after(self) -> tuple[()]:
        return ()


class Clock:
    """Adds up the time within some functions."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function):
        def timed(*given, **named):
            began = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                self.seconds += time.perf_counter() - began

        return timed


def seconds(name: str, dataset, images: int, watched: bool) -> tuple[float, float]:
    """Of one epoch, and of these within what is measured here."""
    within = Clock()
    settings = TrainSettings(epochs=1, seed=0)
    train = dataset.train.subset(torch.arange(images).numpy())
    module = create(name, classes=len(dataset.classes), in_channels=1, image_size=dataset.image_size)
    batches = Batches(train, dataset.preprocessing, settings.batch_size, shuffle=True)
    val = Batches(dataset.val.subset(torch.arange(images // 10).numpy()), dataset.preprocessing, 500)
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        listeners = []
        if watched:
            nowhere = stack.enter_context(Path(os.devnull).open("w"))
            stack.enter_context(redirect_stderr(nowhere))
            listeners = [HistoryFile(Path(folder) / "h"), stack.enter_context(TrainingProgress())]
            listeners = [within.around(listener) for listener in listeners]
            for owner, function in (
                (loop.LayerWatch, "before"),
                (loop.LayerWatch, "after"),
                (monitor._Watching, "_look"),
                (Live, "refresh"),
            ):
                stack.enter_context(patch.object(owner, function, within.around(getattr(owner, function))))
        else:
            stack.enter_context(patch.object(loop, "LayerWatch", Unwatched))
            stack.enter_context(patch.object(monitor, "watching", lambda module, seen: nullcontext()))
        began = time.perf_counter()
        loop.fit(module, batches, val, settings, listeners)
        return time.perf_counter() - began, within.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--models", default="striate_tiny,resnet20_cifar")
    parser.add_argument("--images", default="8000,1000", help="of an epoch, for each of the models")
    asked = parser.parse_args()
    os.environ["FORCE_COLOR"] = "1"  # rich draws its bars as on a terminal
    dataset, rows = open_dataset(None), []
    for name, count in zip(asked.models.split(","), map(int, asked.images.split(",")), strict=True):
        count = min(count, len(dataset.train))
        seconds(name, dataset, count, True)
        pairs, shares = [], []
        for number in range(asked.rounds):
            both = {
                watched: seconds(name, dataset, count, watched)
                for watched in (number % 2 == 0, number % 2 == 1)
            }
            pairs.append((both[True][0], both[False][0]))
            shares.append(both[True][1] / both[True][0])
        ratios = sorted(on / off for on, off in pairs)
        on, off = (statistics.median(part) for part in zip(*pairs, strict=True))
        rows.append(
            f"| {name} | {count:,} | {len(pairs)} | {on:.3f} | {off:.3f} | {statistics.median(ratios) - 1:+.1%} "
            f"| {ratios[0] - 1:+.1%} to {ratios[-1] - 1:+.1%} | {statistics.median(shares):.2%} |"
        )
        print(rows[-1], file=sys.stdout, flush=True)
    about = describe()
    text = f"""# What monitoring and progress cost

{time.strftime("%Y-%m-%d")}, {about["processor"]}, {about["cores"]} cores, torch {about["torch"]}, Python {about["python"]}. `bench/monitoring.py`:
one epoch of the embedded Fashion-MNIST, batch 128, evaluation included, with everything watched and drawn and with
nothing, in turns on a machine that did nothing else. Difference: the median over the rounds of with / without, minus one;
share: the median of the time within what watches, tells and draws. Aim: under 2%.

| network | images | rounds | seconds with | seconds without | difference | rounds from, to | share |
|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}
"""
    write_atomically(RESULT, text)


if __name__ == "__main__":
    main()
