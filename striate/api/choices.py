"""What is chosen before a training begins, and how it is written down: settings.json and data.json."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.api import mirroring, number_format
from striate.errors import ArgumentError, RunError, nearest
from striate.runs import FORMAT, RunFolder, read_json, write_json, writing

if TYPE_CHECKING:
    from torch import nn

    from striate.api.start import Start
    from striate.data.batches import Batches
    from striate.data.dataset import Dataset
    from striate.training.objective import Objective
    from striate.training.settings import TrainSettings

MIRROR_FROM_EPOCHS = 2  # in a single one no image is seen from both sides


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
class Choice:
    """What the recipe, the preset and the caller have settled, as it stands in settings.json."""

    network: dict[str, Any]
    settings: dict[str, Any]
    augmentation: dict[str, Any]
    budget: dict[str, Any] | None = None
    """What was measured to choose the number of epochs, where a time was given."""
    tuned: dict[str, Any] | None = None
    """What was measured to choose precision, layout and compiler, where that was asked for."""
    unasked: tuple[str, ...] = ()
    """Settings that suit the device and nobody asked for: on another one they are chosen anew (``like``)."""

    @property
    def note(self) -> str:
        """How images are varied, and what changes that."""
        from striate.data.augment import Augmentation
        from striate.data.presets import in_words

        how = Augmentation.from_json(self.augmentation)
        if how == Augmentation():
            return "Training images are not varied. --augment and --vary change that."
        return f"Training images are varied by: {in_words(how)}. --augment, --no-mirror, --vary change that."

    @property
    def seed(self) -> int:
        return int(self.settings["seed"])

    def of_module(self, module: nn.Module) -> Choice:
        """This, with what weights of another library brought along and no name says: batch norm's epsilon."""
        from striate.training.fine_tuning import batch_norms

        epsilons = {norm.eps for norm in batch_norms(module)}
        if self.network["weights"] is None or len(epsilons) != 1:
            return self
        return replace(self, network={**self.network, "batch_norm_epsilon": epsilons.pop()})


def choose(
    dataset: Dataset,
    start: Start,
    given: Mapping[str, Any],
    varied: Mapping[str, Any] | None,
    augment: str | None = None,
    binary: bool = False,
) -> Choice:
    """Recipe and preset for ``dataset`` and a ``start`` that is settled, overridden by what was given.

    ``augment``: a preset instead of the one that the images ask for; ``varied`` replaces its fields.
    """
    from striate.data.augment import Augmentation
    from striate.data.presets import preset
    from striate.models import card, form_of
    from striate.training.recipe import augmentation_pays, recipe
    from striate.training.settings import TrainSettings

    new_head = start.weights is not None and start.classes != dataset.classes
    known = card(start.model)
    advised = recipe(
        dataset.kind,
        len(dataset.train),
        epochs=given.get("epochs", known.epochs),
        lr=known.lr,
        fine_tune=start.weights is not None,
        new_head=new_head,
    )
    asked = TrainSettings.from_json({**advised.to_json(), **given})
    settings = number_format.settled(asked, start.model)
    unasked = ("precision",) if settings != asked else ()
    suits = preset(dataset, augment)
    small = dataset.kind != "photographs"
    if augment is None and small and not augmentation_pays(settings.epochs):  # see docs/log.md
        suits = Augmentation(flip=suits.flip and settings.epochs >= MIRROR_FROM_EPOCHS)
    augmentation = Augmentation.from_json({**suits.to_json(), **(varied or {})})
    augmentation.check_fits(dataset.image_size)
    settings = mirroring.settled(settings, given, augmentation, small)
    if binary and (len(dataset.classes) != 2 or dataset.task == "labels"):
        raise ArgumentError(
            f"task must not be 'binary' unless there are two classes, got {len(dataset.classes)} "
            f"{dataset.task}: leave it out."
        )
    network = {
        "name": start.model,
        "form": form_of(start.model, start.weights) if start.weights is not None else start.model,
        "classes": 1 if binary else len(dataset.classes),
        "in_channels": dataset.channels,
        "image_size": list(dataset.image_size),
        "weights": start.weights,
        "activation": start.activation,
    }
    return Choice(network, settings.to_json(), augmentation.to_json(), unasked=unasked)


def refuse_unfit(module: nn.Module, dataset: Dataset, chosen: Choice) -> None:
    """Raise ArgumentError where the settings name layers that the network has not."""
    from striate.data.batches import Batches
    from striate.training.fine_tuning import needs_order, plan
    from striate.training.settings import TrainSettings

    settings = TrainSettings.from_json(chosen.settings)
    if needs_order(settings):
        images, _ = next(Batches(dataset.train, dataset.preprocessing, 2).epoch(0))
        plan(module, images, settings)


TASKS = ("classes", "labels", "binary")


def reading(task: str | None, root: str | Path | None) -> dict[str, Any]:
    """What decides how DATA is read, for settings.json. Raises ArgumentError for an unknown task."""
    if task is not None and task not in TASKS:
        hint = nearest(task, TASKS) or "give one of them."
        raise ArgumentError(f"task must be one of {', '.join(TASKS)}, got {task!r}: {hint}")
    place = str(Path(root).expanduser().resolve()) if root is not None else None
    return {"task": task, "root": place}


def as_read(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of ``open_dataset`` that ``reading`` wrote, and the fold that somebody added; "binary" is
    a matter of the network alone."""
    task = asked.get("task")
    fold = tuple(asked["fold"]) if asked.get("fold") is not None else None
    return {"task": "classes" if task == "binary" else task, "root": asked.get("root"), "fold": fold}


def training_batches(
    dataset: Dataset,
    settings: TrainSettings,
    augmentation: Mapping[str, Any],
    part: tuple[int, int] = (0, 1),
) -> Batches:
    """The training images as the settings say: their order, variation and balance, on the training device.

    ``part``: the number of this process, and how many there are.
    """
    from striate.data.augment import Augmentation
    from striate.data.batches import Batches
    from striate.training.device import place

    return Batches(
        dataset.train,
        dataset.preprocessing,
        settings.batch_size,
        seed=settings.seed,
        shuffle=True,
        augmentation=Augmentation.from_json(augmentation),
        balanced=settings.balance == "sampler",
        classes=len(dataset.classes),
        part=part,
        device=place(settings).device,
    )


def objective(dataset: Dataset, settings: TrainSettings) -> Objective:
    """What the training asks of the network about this data."""
    from striate.data.sampling import class_weights
    from striate.training.objective import Objective

    weights, train = None, dataset.train
    if settings.balance == "loss":
        counts = train.per_class(len(dataset.classes))
        weights = class_weights(counts, len(train), labels=dataset.task == "labels")
    return Objective(dataset.task, settings.label_smoothing, weights)


def launch_name() -> str | None:
    """The start of torchrun that this process belongs to: the same when torchrun starts it again."""
    given = os.environ.get("TORCHELASTIC_RUN_ID")
    return f"{given}/{os.getppid()}" if given is not None else None


def begun_before(path: Path | None, name: str) -> RunFolder | None:
    """The run that this start of torchrun has begun already, when it starts its processes again."""
    if int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) < 1:
        return None
    for folder in [path] if path is not None else sorted(Path("runs").glob(f"{name}-*")):
        run = RunFolder(folder)
        if run.settings.exists() and read_json(run.settings).get("launch") == launch_name():
            return run
    return None


def write_down(
    folder: RunFolder,
    dataset: Dataset,
    chosen: Choice,
    asked: Mapping[str, Any],
    folds: Mapping[str, Any] | None = None,
) -> None:
    """settings.json and data.json, before the first step; both or, where there is no room, no folder at all.

    ``asked`` is what decides how DATA is read; ``folds`` what data.json says of a folder of folds instead of
    what is true of one of them.
    """
    from striate import __version__
    from striate.data.source import absolute
    from striate.training.device import place
    from striate.training.machine import describe
    from striate.training.settings import TrainSettings

    settings = {
        "format": FORMAT,
        "striate": __version__,
        "command": ["striate", *sys.argv[1:]] if Path(sys.argv[0]).stem in ("striate", "__main__") else None,
        "model": chosen.network,
        "data": {"source": absolute(dataset.source), **asked},
        "settings": chosen.settings,
        "augmentation": chosen.augmentation,
        "budget": chosen.budget,
        "tuned": chosen.tuned,
        "unasked": list(chosen.unasked),
        "device": place(TrainSettings.from_json(chosen.settings)).to_json(),
        "machine": describe(),
        "launch": launch_name(),
    }
    if folds is not None:
        settings["folds"] = folds["folds"]
    try:
        about = {**dataset.to_json(), **(folds or {}), "sample": _sample(folder, dataset)}
        write_json(folder.data, about)
        write_json(folder.settings, settings)
    except RunError:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise


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


def hint(source: str) -> str:
    """The data's part of a run's name: letters, digits and dashes."""
    path = Path(source)
    name = path.resolve().name if path.exists() else source.partition("?")[0].rpartition("/")[2]
    return "-".join(re.findall(r"\w+", name.removesuffix(".tar"))) or "data"
