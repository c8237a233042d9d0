"""``train``: from a source of images to a network, a report and a bundle; ``resume``: the rest of one.

Everything that decides the result is chosen first and written down (settings.json, data.json); then one
function, ``_carry_out``, reads only what is written. A resumed run therefore cannot differ from a new one.
"""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.api.extras import require_train
from striate.api.run import Run
from striate.api.stages import Listener, Noted, stage, tell
from striate.errors import ArgumentError, RunError, command
from striate.runs import FORMAT, RunFolder, read_record, write_json, writing

if TYPE_CHECKING:
    from torch import nn

    from striate.data.dataset import Dataset
    from striate.training.loop import FitResult

# torch's random numbers, its number of threads and its export belong to the process: a second training in
# another thread waits for the first, and gives what it would give alone.
_ONE_AT_A_TIME = threading.RLock()
MIRROR_FROM_EPOCHS = 5  # with fewer passes every image is still new enough


def train(
    data: str | Path | None = None,
    *,
    model: str = "auto",
    run: str | Path | None = None,
    image_size: str | int | Sequence[int] | None = None,
    skip_bad: bool = False,
    weights: str | Path | None = None,
    augmentation: Mapping[str, Any] | None = None,
    listeners: Sequence[Listener] = (),
    **settings: Any,
) -> Run:
    """Train a network on images and return its finished (or, after Ctrl-C, unfinished) run.

    ``data``: a folder of class folders, a tree with train/ and val/ (and test/), or a named set; None is the
    embedded set. ``model``: a name of the catalogue, or "auto". ``run``: the new run folder. ``image_size``:
    pixels, one number or (rows, columns). ``augmentation``: fields of ``striate.data.augment.Augmentation``
    that replace the preset's. ``settings``: fields of ``striate.training.settings.TrainSettings``; what is
    not given comes from the recipe for this kind of images.

    Raises DataError, ImageError, UnknownNameError, ArgumentError, ShapeError (the images are too small for
    the network), RunError (the folder is taken), TrainingError (the loss is no longer a number).
    """
    require_train("training")
    from striate.data.catalogue import open_dataset
    from striate.models import card

    if model != "auto":
        card(model)  # an unknown name is answered before any image is read
    size = parse_size(image_size)
    dataset = open_dataset(
        data, image_size=size, skip_bad=skip_bad, on_progress=stage(listeners, "reading images")
    )
    chosen = _choose(dataset, model, weights, settings, augmentation)
    with _ONE_AT_A_TIME:
        module = build(chosen.network, chosen.seed)  # what does not fit is refused before anything is written
        hint = f"{_hint(dataset.source)}-{chosen.network['name']}"
        folder = RunFolder.create(Path(run) if run is not None else None, hint)
        _write_down(folder, dataset, chosen, {"image_size": size, "skip_bad": skip_bad})
        for note in dataset.notes:
            tell(listeners, Noted(note))
        return _carry_out(folder, dataset, module, listeners, resume=False)


def resume(run: str | Path, data: str | Path | None = None, *, listeners: Sequence[Listener] = ()) -> Run:
    """Continue a run from its newest good checkpoint to the same final weights as if it had never stopped.

    A finished run is returned as it is; without a checkpoint it starts again. ``data`` is where the images
    are now, if they have moved. Raises RunError when they are not the images that the run began with.
    """
    require_train("training")
    folder = RunFolder.open(Path(run))
    finished = Run(folder.path)
    if finished.finished:
        tell(listeners, Noted(f"{folder.path} is finished: nothing is left to do."))
        return finished
    dataset = open_again(folder, data, listeners)
    settings, known = _settings(folder), read_record(folder.data, fingerprint=str)
    if dataset.fingerprint != known["fingerprint"]:
        raise RunError(
            f"DATA must be the images that {folder.path} began with, but those in {dataset.source} differ: "
            "restore them, or start a new run with striate train."
        )
    with _ONE_AT_A_TIME:
        module = build(settings["model"], settings["settings"]["seed"])
        return _carry_out(folder, dataset, module, listeners, resume=True)


def open_again(folder: RunFolder, data: str | Path | None, listeners: Sequence[Listener]) -> Dataset:
    """The data set of a run, read as it was read then; ``data`` is where it is now, if it has moved."""
    from striate.data.catalogue import open_dataset

    asked = _settings(folder)["data"]
    known = read_record(folder.data, image_size=list, channels=int, classes=list)
    return open_dataset(
        data if data is not None else asked["source"],
        image_size=tuple(known["image_size"]),
        channels=known["channels"],
        skip_bad=asked["skip_bad"],
        classes=known["classes"],
        on_progress=stage(listeners, "reading images"),
    )


def _settings(folder: RunFolder) -> dict[str, Any]:
    """settings.json, which holds what a run needs to be read again, or RunError."""
    return read_record(folder.settings, model=dict, settings=dict, data=dict, augmentation=dict)


def parse_size(size: str | int | Sequence[int] | None) -> tuple[int, int] | None:
    """``"224"``, ``"224x160"``, 224 or (224, 160) as (rows, columns). Raises ArgumentError."""
    if size is None:
        return None
    parts = (
        size.lower().split("x") if isinstance(size, str) else size if isinstance(size, Sequence) else [size]
    )
    try:
        sides = [int(part) for part in parts]
    except (TypeError, ValueError):
        sides = []
    if len(sides) not in (1, 2) or min(sides, default=0) < 1:
        raise ArgumentError(
            f"image_size must be one or two positive sizes, got {size!r}: write 224 or 224x160."
        )
    return sides[0], sides[-1]


@dataclass(frozen=True)
class _Choice:
    """What the recipe, the preset and the caller have settled, as it stands in settings.json."""

    network: dict[str, Any]
    settings: dict[str, Any]
    augmentation: dict[str, Any]

    @property
    def seed(self) -> int:
        return int(self.settings["seed"])


def _choose(
    dataset: Dataset,
    model: str,
    weights: str | Path | None,
    given: Mapping[str, Any],
    varied: Mapping[str, Any] | None,
) -> _Choice:
    from striate.data.augment import Augmentation, preset
    from striate.models import auto, card
    from striate.training.recipe import augmentation_pays, recipe
    from striate.training.settings import TrainSettings

    if model == "auto":
        model = auto(dataset.image_size, dataset.channels, len(dataset.classes), len(dataset.train))
    advised = recipe(dataset.kind, len(dataset.train), epochs=given.get("epochs", card(model).epochs))
    settings = TrainSettings.from_json({**advised.to_json(), **given})
    suits = preset(dataset)
    if not augmentation_pays(settings.epochs):  # a short run: the mirror at most, see docs/log.md
        suits = Augmentation(flip=suits.flip and settings.epochs >= MIRROR_FROM_EPOCHS)
    augmentation = Augmentation.from_json({**suits.to_json(), **(varied or {})})
    augmentation.check_fits(dataset.image_size)
    network = {
        "name": model,
        "classes": len(dataset.classes),
        "in_channels": dataset.channels,
        "image_size": list(dataset.image_size),
        "weights": str(Path(weights).resolve()) if weights is not None else None,
    }
    return _Choice(network, settings.to_json(), augmentation.to_json())


def _write_down(folder: RunFolder, dataset: Dataset, chosen: _Choice, asked: Mapping[str, Any]) -> None:
    """settings.json and data.json, before the first step; both or, where there is no room, no folder at all.

    ``asked`` is what decides how DATA is read.
    """
    from striate import __version__
    from striate.training.device import place
    from striate.training.machine import describe
    from striate.training.settings import TrainSettings

    source = Path(dataset.source)
    settings = {
        "format": FORMAT,
        "striate": __version__,
        "command": ["striate", *sys.argv[1:]] if Path(sys.argv[0]).stem in ("striate", "__main__") else None,
        "model": chosen.network,
        "data": {"source": str(source.resolve()) if source.exists() else dataset.source, **asked},
        "settings": chosen.settings,
        "augmentation": chosen.augmentation,
        "device": place(TrainSettings.from_json(chosen.settings)).to_json(),
        "machine": describe(),
    }
    try:
        write_json(folder.data, {**dataset.to_json(), "sample": _sample(folder, dataset)})
        write_json(folder.settings, settings)
    except RunError:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise


def _carry_out(
    folder: RunFolder, dataset: Dataset, module: nn.Module, listeners: Sequence[Listener], *, resume: bool
) -> Run:
    """Train as settings.json says, then finish: measure, capture, look, report."""
    from striate.api.finish import AT_ONCE, finish
    from striate.data.augment import Augmentation
    from striate.data.batches import Batches
    from striate.training.device import place
    from striate.training.history import HistoryFile
    from striate.training.loop import fit
    from striate.training.own_rule import fit_by_own_rule, has_own_rule
    from striate.training.settings import TrainSettings

    written = _settings(folder)
    settings = TrainSettings.from_json(written["settings"])
    placement = place(settings)
    batches = Batches(
        dataset.train,
        dataset.preprocessing,
        settings.batch_size,
        seed=settings.seed,
        shuffle=True,
        augmentation=Augmentation.from_json(written["augmentation"]),
        device=placement.device,
    )
    val = None
    if dataset.val is not None:
        val = Batches(dataset.val, dataset.preprocessing, AT_ONCE, device=placement.device)
    train_it: Callable[..., FitResult] = fit
    if has_own_rule(module):
        train_it = partial(fit_by_own_rule, on_progress=stage(listeners, "learning"))
    warnings: list[str] = []
    result = train_it(
        module,
        batches,
        val,
        settings,
        [HistoryFile(folder.history), _Warnings(warnings), *listeners],
        folder.checkpoints,
        data=dataset.fingerprint,
        resume=resume,
    )
    saved = Noted(f"Stopped and saved. Continue with: {command('train', '--resume', folder.path)}")
    if result.interrupted:
        tell(listeners, saved)
        return Run(folder.path)
    try:
        finish(folder, dataset, module, placement, warnings, listeners)
    except KeyboardInterrupt:
        tell(listeners, saved)
        raise
    return Run(folder.path)


class _Warnings:
    """A listener that keeps what the training warned of, for result.json and the report."""

    def __init__(self, kept: list[str]) -> None:
        self.kept = kept

    def __call__(self, event: Any) -> None:
        from striate.training.events import Warned

        if isinstance(event, Warned):
            self.kept.append(event.message)


def build(model: Mapping[str, Any], seed: int) -> nn.Module:
    """The network that settings.json names, its weights drawn from ``seed`` or read from its file."""
    import torch

    from striate.models import create

    torch.manual_seed(seed)
    return create(
        model["name"],
        classes=model["classes"],
        in_channels=model["in_channels"],
        image_size=tuple(model["image_size"]),
        weights=model["weights"],
    )


def _sample(folder: RunFolder, dataset: Dataset) -> str:
    """A file to try ``striate predict`` on: one of the user's own, or one written for an array set."""
    from PIL import Image

    images = dataset.test or dataset.val or dataset.train
    original = Path(dataset.source) / images.keys[0]
    if original.is_file():
        return str(original.absolute())
    pixels = images.images[0]
    path = folder.insight / "sample.png"
    with writing(path):
        folder.insight.mkdir(exist_ok=True)
        Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(path)
    return str(path.absolute())


def _hint(source: str) -> str:
    """The data's part of a run's name: letters, digits and dashes."""
    name = Path(source).resolve().name if Path(source).exists() else source
    return (
        "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name).strip("-") or "data"
    )
