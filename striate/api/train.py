"""``train``: from a source of images to a trained network, a report and a bundle; ``resume``: the rest of one.

Everything that decides the result is chosen first and written down (settings.json, data.json); then one
function, ``_carry_out``, reads only what is written. A resumed run therefore cannot differ from a new one.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.api.extras import require_train
from striate.api.run import Run
from striate.api.stages import Listener, Noted, stage, tell
from striate.errors import ArgumentError, RunError
from striate.runs import FORMAT, RunFolder, read_json, write_json

if TYPE_CHECKING:
    from torch import nn

    from striate.data.dataset import Dataset

SMALLEST_BATCHES = 4  # steps an epoch should have at least; a batch larger than the data teaches nothing


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
    chosen = _choose(dataset, model, settings, augmentation)
    folder = RunFolder.create(
        Path(run) if run is not None else None, f"{_hint(dataset.source)}-{chosen.model}"
    )
    _write_down(folder, dataset, chosen, {"image_size": size, "skip_bad": skip_bad}, weights)
    for note in dataset.notes:
        tell(listeners, Noted(note))
    return _carry_out(folder, dataset, listeners, resume=False)


def resume(run: str | Path, data: str | Path | None = None, *, listeners: Sequence[Listener] = ()) -> Run:
    """Continue a run from its newest good checkpoint to the same final weights as if it had never stopped.

    A finished run is returned as it is; without a checkpoint it starts again. ``data`` is where the images
    are now, if they have moved. Raises RunError when they are not the images that the run began with.
    """
    require_train("training")
    from striate.data.catalogue import open_dataset

    folder = RunFolder.open(Path(run))
    finished = Run(folder.path)
    if finished.finished:
        tell(listeners, Noted(f"{folder.path} is finished: nothing is left to do."))
        return finished
    settings, known = read_json(folder.settings), read_json(folder.data)
    asked = settings["data"]
    dataset = open_dataset(
        data if data is not None else asked["source"],
        image_size=tuple(known["image_size"]),
        channels=known["channels"],
        skip_bad=asked["skip_bad"],
        classes=known["classes"],
        on_progress=stage(listeners, "reading images"),
    )
    if dataset.fingerprint != known["fingerprint"]:
        raise RunError(
            f"DATA must be the images that {folder.path} began with, but those in {dataset.source} differ: "
            "restore them, or start a new run with striate train."
        )
    return _carry_out(folder, dataset, listeners, resume=True)


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

    model: str
    settings: dict[str, Any]
    augmentation: dict[str, Any]


def _choose(
    dataset: Dataset, model: str, given: Mapping[str, Any], varied: Mapping[str, Any] | None
) -> _Choice:
    from striate.data.augment import Augmentation, preset
    from striate.models import auto
    from striate.training.recipe import recipe
    from striate.training.settings import TrainSettings

    images = len(dataset.train)
    name = model
    if model == "auto":
        name = auto(dataset.image_size, dataset.channels, len(dataset.classes), images)
    advised = recipe(dataset.kind, images, dataset.image_size, name)
    settings = TrainSettings.from_json({**advised.to_json(), **given})
    if "batch_size" not in given:
        fitting = max(1, min(settings.batch_size, images // SMALLEST_BATCHES))
        settings = TrainSettings.from_json({**settings.to_json(), "batch_size": fitting})
    fields = {**preset(dataset).to_json(), **(varied or {})}
    augmentation = Augmentation.from_json(fields)
    augmentation.check_fits(dataset.image_size)
    return _Choice(name, settings.to_json(), augmentation.to_json())


def _write_down(
    folder: RunFolder,
    dataset: Dataset,
    chosen: _Choice,
    asked: Mapping[str, Any],
    weights: str | Path | None,
) -> None:
    """settings.json and data.json, before the first step. ``asked`` is what decides how DATA is read."""
    from striate import __version__
    from striate.training.device import place
    from striate.training.machine import describe
    from striate.training.settings import TrainSettings

    placement = place(TrainSettings.from_json(chosen.settings))
    source = dataset.source if not Path(dataset.source).exists() else str(Path(dataset.source).resolve())
    write_json(folder.data, {**dataset.to_json(), "sample": _sample(folder, dataset)})
    write_json(
        folder.settings,
        {
            "format": FORMAT,
            "striate": __version__,
            "command": ["striate", *sys.argv[1:]] if Path(sys.argv[0]).stem == "striate" else None,
            "model": {
                "name": chosen.model,
                "classes": len(dataset.classes),
                "in_channels": dataset.channels,
                "image_size": list(dataset.image_size),
                "weights": str(weights) if weights is not None else None,
            },
            "data": {"source": source, **asked},
            "settings": chosen.settings,
            "augmentation": chosen.augmentation,
            "device": placement.to_json(),
            "machine": describe(),
        },
    )


def _carry_out(folder: RunFolder, dataset: Dataset, listeners: Sequence[Listener], *, resume: bool) -> Run:
    """Train as settings.json says, then finish: measure, capture, look, report."""
    from striate.api.finish import finish
    from striate.data.augment import Augmentation
    from striate.data.batches import Batches
    from striate.training.device import place
    from striate.training.history import History
    from striate.training.loop import fit
    from striate.training.settings import TrainSettings

    written = read_json(folder.settings)
    settings = TrainSettings.from_json(written["settings"])
    placement = place(settings)
    module = build(written["model"], settings.seed, fresh=True)
    batches = Batches(
        dataset.train,
        dataset.preprocessing,
        settings.batch_size,
        seed=settings.seed,
        shuffle=True,
        augmentation=Augmentation.from_json(written["augmentation"]),
        device=placement.device,
    )
    held_out = dataset.val if dataset.val is not None else None
    val = Batches(held_out, dataset.preprocessing, 500, device=placement.device) if held_out else None
    began = time.perf_counter()
    history = History(folder.history)
    result = fit(
        module,
        batches,
        val,
        settings,
        [history, *listeners],
        folder.checkpoints,
        data=dataset.fingerprint,
        resume=resume,
    )
    if result.interrupted:
        tell(listeners, Noted(f"Stopped and saved. Continue with: striate train --resume {folder.path}"))
        return Run(folder.path)
    finish(folder, dataset, module, placement, listeners, seconds=time.perf_counter() - began)
    return Run(folder.path)


def build(model: Mapping[str, Any], seed: int, *, fresh: bool) -> nn.Module:
    """The network that settings.json names; ``fresh`` draws its weights from ``seed`` (or reads the file)."""
    import torch

    from striate.models import create

    torch.manual_seed(seed)
    return create(
        model["name"],
        classes=model["classes"],
        in_channels=model["in_channels"],
        image_size=tuple(model["image_size"]),
        weights=model["weights"] if fresh else None,
    )


def _sample(folder: RunFolder, dataset: Dataset) -> str:
    """A file that ``striate predict`` can be tried on: one of the user's own, or one written for an array set."""
    from PIL import Image

    images = dataset.test or dataset.val or dataset.train
    original = Path(dataset.source) / images.keys[0]
    if original.is_file():
        return str(original)
    pixels = images.images[0]
    folder.insight.mkdir(exist_ok=True)
    path = folder.insight / "sample.png"
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(path)
    return str(path)


def _hint(source: str) -> str:
    """The data's part of a run's name: letters, digits and dashes."""
    name = Path(source).resolve().name if Path(source).exists() else source
    return (
        "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name).strip("-") or "data"
    )
