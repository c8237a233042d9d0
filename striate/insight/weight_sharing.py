"""What weight sharing buys: networks of equally many weights, trained alike, asked about shifted images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from striate.data.batches import Batches
from striate.data.dataset import Dataset, ImageSet
from striate.errors import ArgumentError
from striate.layers.locally_connected import LocallyConnected2d
from striate.training.device import place
from striate.training.evaluate import evaluate
from striate.training.events import Listener
from striate.training.loop import fit
from striate.training.settings import TrainSettings

SIZE = (28, 28)  # the networks below are made for it
SHIFTS = (0, 1, 2, 3, 4, 6, 8)  # pixels
AT_ONCE = 1000


def _dense() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 25), nn.ReLU(), nn.Linear(25, 10))


def _local() -> nn.Module:
    first = LocallyConnected2d(1, 3, 5, SIZE, stride=2, padding=2)
    return nn.Sequential(first, nn.ReLU(), nn.Flatten(), nn.Linear(588, 10))


def _shared() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 10, 5, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(1960, 10))


def _two() -> nn.Module:
    return nn.Sequential(*_stage(1, 16), *_stage(16, 32), nn.Flatten(), nn.Linear(32 * 49, 10))


def _averaged() -> nn.Module:
    last = nn.Conv2d(32, 48, 3, padding=1)
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10))
    return nn.Sequential(*_stage(1, 16), *_stage(16, 32), last, nn.ReLU(), *head)


def _stage(in_channels: int, out_channels: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)


CONTENDERS: dict[str, Callable[[], nn.Module]] = {
    "fully connected": _dense,
    "locally connected": _local,
    "convolution": _shared,
    "two convolutions": _two,
    "three, averaged": _averaged,
}
MADE_OF = {
    "fully connected": "25 units that see the whole image, then a linear layer",
    "locally connected": "3 maps of 5x5 windows 2 apart, own weights at every place, then a linear layer",
    "convolution": "10 maps of the same windows, one kernel each, then a linear layer",
    "two convolutions": "16 and 32 maps of 3x3 windows, a 2x2 pool after each, then a linear layer",
    "three, averaged": "16, 32 and 48 maps, each averaged over the image before the linear layer",
}


@dataclass(frozen=True)
class Contender:
    """One trained network. ``accuracy``: for each shift, the mean over the four directions."""

    name: str
    made_of: str
    weights: int
    multiply_adds: int
    accuracy: tuple[float, ...]


@dataclass(frozen=True)
class WeightSharing:
    """Networks that learned from the same images in the same number of steps."""

    source: str
    images: int
    test_images: int
    epochs: int
    seed: int
    shifts: tuple[int, ...]
    contenders: tuple[Contender, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return asdict(self)

    def text(self) -> str:
        """Accuracy against shift, one line a network."""
        heading = "".join(f"{shift:>8}" for shift in self.shifts)
        lines = [
            f"{self.images:,} images of {self.source}, epochs: {self.epochs}, seed: {self.seed}; accuracy on "
            f"{self.test_images:,} others, moved by so many pixels:",
            "",
            f"{'':20}{'weights':>9}{'multiply-adds':>15}{heading}",
        ]
        for one in self.contenders:
            row = "".join(f"{share:>8.1%}" for share in one.accuracy)
            lines.append(f"{one.name:20}{one.weights:>9,}{one.multiply_adds:>15,}{row}")
        return "\n".join([*lines, "", *(f"{one.name}: {one.made_of}" for one in self.contenders)])


def weight_sharing(
    dataset: Dataset,
    *,
    epochs: int = 6,
    seed: int = 0,
    shifts: Sequence[int] = SHIFTS,
    listeners: Sequence[Listener] = (),
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> WeightSharing:
    """Train each contender on ``dataset`` (28x28 grey images in 10 classes) and move the test images.

    Each has about 20,000 weights, sees the same batches and takes the same steps. Pixels that come in from
    outside are black. ``on_progress`` hears how many networks are done. Raises ArgumentError for other
    images, or shifts of a whole image.
    """
    test = dataset.test or dataset.val
    if dataset.image_size != SIZE or dataset.channels != 1 or len(dataset.classes) != 10 or test is None:
        raise ArgumentError(
            f"DATA must be 28x28 grey images in 10 classes with some to test on, got {dataset.source}: "
            "leave it out for the embedded images."
        )
    if not all(0 <= shift < min(SIZE) for shift in shifts):
        raise ArgumentError(f"shifts must lie between 0 and {min(SIZE) - 1}, got {shifts}: move less.")
    # one thread: on networks this small a second saves little, and on a busy machine it costs much
    settings = TrainSettings(
        epochs=epochs, lr=0.01, weight_decay=0.01, label_smoothing=0.0, seed=seed, threads=1
    )
    train = Batches(dataset.train, dataset.preprocessing, settings.batch_size, seed=seed, shuffle=True)
    contenders = []
    for done, (name, build) in enumerate(CONTENDERS.items()):
        on_progress(done, len(CONTENDERS))
        torch.manual_seed(seed)
        module = build()
        fit(module, train, None, settings, listeners)
        accuracy = tuple(_moved(module, test, dataset, shift, settings) for shift in shifts)
        weights = sum(tensor.numel() for tensor in module.parameters())
        contenders.append(Contender(name, MADE_OF[name], weights, _multiply_adds(module), accuracy))
    on_progress(len(CONTENDERS), len(CONTENDERS))
    images = len(dataset.train), len(test)
    return WeightSharing(dataset.source, *images, epochs, seed, tuple(shifts), tuple(contenders))


def _moved(module: nn.Module, test: ImageSet, dataset: Dataset, shift: int, settings: TrainSettings) -> float:
    """Accuracy on ``test`` moved by ``shift`` pixels, the mean over up, down, left and right."""
    ways = {(shift, 0), (-shift, 0), (0, shift), (0, -shift)}
    shares = []
    for down, right in sorted(ways):
        images = replace(test, images=shifted(np.asarray(test.images), down, right))
        batches = Batches(images, dataset.preprocessing, AT_ONCE)
        shares.append(evaluate(module, batches.epoch(0), place(settings)).accuracy)
    return float(np.mean(shares))


def shifted(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Images (N, H, W, C) moved by so many pixels; black comes in."""
    moved = np.zeros_like(images)
    height, width = images.shape[1:3]
    rows, from_rows = _overlap(down, height)
    columns, from_columns = _overlap(right, width)
    moved[:, rows, columns] = images[:, from_rows, from_columns]
    return moved


def _overlap(shift: int, size: int) -> tuple[slice, slice]:
    return slice(max(shift, 0), size + min(shift, 0)), slice(max(-shift, 0), size + min(-shift, 0))


def _multiply_adds(module: nn.Module) -> int:
    """Of one image, as torch counts them while it runs."""
    device = next(module.parameters()).device
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        module(torch.zeros(1, 1, *SIZE, device=device))
    return counter.get_total_flops() // 2
