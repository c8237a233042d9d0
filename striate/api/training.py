"""``train``: from a source of images to a network, a report and a bundle; ``resume``: the rest of one.

Everything that decides the result is chosen first and written down (settings.json, data.json); then
``carrying.carry_out`` reads only what is written. A resumed run therefore cannot differ from a new one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.api.budget import in_words, plan, seconds_of
from striate.api.carrying import build, carry_out, how_to_go_on
from striate.api.choices import (
    Choice,
    as_read,
    begun_before,
    choose,
    hint,
    parse_size,
    reading,
    refuse_unfit,
    write_down,
)
from striate.api.extras import require_train
from striate.api.folds import begin_folds, carry_out_folds, of_first_fold
from striate.api.likeness import choice_of, differences, refuse_both
from striate.api.reopening import as_asked, open_as, refuse_other_images, settings_of
from striate.api.run import Run, report
from striate.api.stages import Listener, Noted, stage, tell
from striate.api.start import AUTO, start_from
from striate.api.tuning import tune as measured_choice
from striate.errors import ArgumentError, RunError
from striate.machine import collecting_seldom
from striate.runs import RunFolder, read_record

if TYPE_CHECKING:
    from torch import nn

    from striate.data.dataset import Dataset
    from striate.training.team import Team

# torch's random numbers, threads and export are the process's: a second training in another thread waits.
_ONE_AT_A_TIME = threading.RLock()


def train(
    data: str | Path | None = None,
    *,
    model: str = "auto",
    run: str | Path | None = None,
    like: str | Path | None = None,
    image_size: str | int | Sequence[int] | None = None,
    skip_bad: bool = False,
    task: str | None = None,
    root: str | Path | None = None,
    augment: str | None = None,
    weights: str | Path | None = None,
    activation: str | None = None,
    augmentation: Mapping[str, Any] | None = None,
    budget: str | float | None = None,
    folds: int | None = None,
    tune: bool = False,
    listeners: Sequence[Listener] = (),
    **settings: Any,
) -> Run:
    """Train a network on images and return its finished (or, after Ctrl-C, unfinished) run.

    ``data``: a folder of class folders, a tree with train/ and val/ (and test/), a CSV, tar shards, an .npz
    or IDX file, or a named set (see ``striate.data.source``); None is the embedded set. ``task``: "classes",
    "labels" (several an image) or "binary" (two classes, one output); None takes what the data shows.
    ``root``: the folder that paths of a CSV are relative to. ``model``: a name of the catalogue, or "auto".
    ``run``: the new run folder. ``image_size``: pixels, one number or (rows, columns). ``augment``: "none",
    "few", "some" or "many", a preset of variations; None takes the one that the images per class ask for.
    ``activation``: what replaces that of the network's hidden layers, by torch's name ("leaky_relu").
    ``augmentation``: fields of ``striate.data.augment.Augmentation`` that replace the preset's. ``like``: a
    run whose choices are all taken over, its data too if none is given; with the same images, versions and
    kind of machine the weights are the same to the last bit. ``budget``: a time ("90s", "10m", "1h30m") into
    which as many epochs are planned as fit, after some steps were measured; unasked, a larger network takes
    what a small one has no use for. ``folds``: cross-validation in so many parts (see ``api.folds``).
    ``tune``: measure number formats, layouts and the compiler on some steps first, and take the fastest.
    ``settings``: fields of ``training.settings.TrainSettings``; what is not given comes from the recipe.

    Raises DataError, ImageError, UnknownNameError, ArgumentError, ShapeError (the images are too small for
    the network), RunError (the folder is taken), TrainingError (the loss is no longer a number).
    """
    require_train("training")
    with collecting_seldom(imports_only=True):
        from striate.data.ahead import Ahead
        from striate.data.catalogue import open_dataset
        from striate.data.folds import whole_folds

        ahead = Ahead(data, wanted=like is None and root is None)  # beside the imports that follow
        from striate.training.distributed import joined

    began, seconds = time.perf_counter(), seconds_of(budget) if budget is not None else None
    if seconds is not None and "epochs" in settings:
        raise ArgumentError(
            f"budget plans the epochs, so that only one of both can be given, got {budget} and "
            f"{settings['epochs']} epochs: leave one out."
        )
    if folds is not None:
        whole_folds(folds)
    if like is not None:
        others: dict[str, object] = {"model": model != AUTO, "image_size": image_size, "skip_bad": skip_bad}
        others |= {"task": task, "root": root, "augment": augment, "budget": budget, "activation": activation}
        refuse_both({**others, "tune": tune, "weights": weights, "augmentation": augmentation})
        return _train_like(RunFolder.open(Path(like)), data, folds, run, settings, listeners)
    size = parse_size(image_size)
    start = start_from(model, weights, keep_size=size is not None, activation=activation)  # may refuse
    asked = {"image_size": size, "skip_bad": skip_bad, **reading(task, root)}
    with joined() as team:
        listeners = listeners if team.leads else ()
        dataset = open_dataset(
            data,
            image_size=size,
            skip_bad=skip_bad,
            **as_read(of_first_fold(asked, folds)),
            prepare=start.prepare,
            on_progress=stage(listeners, "reading images"),
            on_scan=stage(listeners, "looking at files"),
            known=ahead.take(),
        )
        start = start.settled(dataset.image_size)
        place: dict[str, Any] = {}

        def chosen_for(network: str | None, epochs: int | None) -> Choice:
            given = {**settings, **place, **({"epochs": epochs} if epochs is not None else {})}
            first = replace(start, model=network or start.model)
            return choose(dataset, first, given, augmentation, augment, task == "binary")

        chosen, notes, tuned = chosen_for(None, None), [], None
        if tune:
            progress = stage(listeners, "measuring steps")
            with _ONE_AT_A_TIME:
                tuned = team.tell(lambda: measured_choice(chosen, settings, _built, dataset, progress))
            place.update(tuned["settings"])
            chosen = chosen_for(None, None)
            notes = [tuned["said"]]
        if seconds is not None:
            left = (seconds - (time.perf_counter() - began)) / (folds or 1)
            with _ONE_AT_A_TIME:
                found = team.tell(lambda: plan(chosen_for, _built, dataset, left, start.larger))
            planned = {**found, "seconds": seconds}
            chosen = replace(chosen_for(found.get("model"), found["epochs"]), budget=planned)
            notes.append(in_words(planned, folds))
        chosen = replace(chosen, tuned=tuned)
        notes = [*dataset.notes, *start.notes(dataset.image_size, model), chosen.note, *notes]
        return begin_all(dataset, chosen, asked, folds, run, notes, listeners, team)


def _built(chosen: Choice) -> nn.Module:
    return build(chosen.network, chosen.seed)


def _train_like(
    known: RunFolder,
    data: str | Path | None,
    folds: int | None,
    run: str | Path | None,
    settings: Mapping[str, Any],
    listeners: Sequence[Listener],
) -> Run:
    from striate.training.distributed import joined

    with joined() as team:
        listeners, chosen = listeners if team.leads else (), choice_of(known, settings)
        read = {name: value for name, value in settings_of(known)["data"].items() if name != "fold"}
        about = read_record(known.data, preprocessing=dict, classes=list)
        dataset = open_as(of_first_fold(read, folds), about, data, listeners)
        asked = as_asked(read, data)
        notes = [*dataset.notes, *differences(known, dataset)]
        return begin_all(dataset, chosen, asked, folds, run, notes, listeners, team)


def _fitting(dataset: Dataset, chosen: Choice) -> tuple[nn.Module, Choice]:
    """The network; what does not fit is refused before anything is written."""
    module = _built(chosen)
    chosen = chosen.of_module(module)
    refuse_unfit(module, dataset, chosen)
    return module, chosen


def begin_all(
    dataset: Dataset,
    chosen: Choice,
    asked: Mapping[str, Any],
    folds: int | None,
    run: str | Path | None,
    notes: Sequence[str],
    listeners: Sequence[Listener],
    team: Team,
) -> Run:
    """``begin``, or the first of several folds."""
    if folds is None:
        return begin(dataset, chosen, asked, run, notes, listeners, team)
    with _ONE_AT_A_TIME:
        _, chosen = _fitting(dataset, chosen)
        return begin_folds(dataset, chosen, asked, folds, run, notes, listeners, team)


def begin(
    dataset: Dataset,
    chosen: Choice,
    asked: Mapping[str, Any],
    run: str | Path | None,
    notes: Sequence[str],
    listeners: Sequence[Listener],
    team: Team,
) -> Run:
    """Build the network, write down what was chosen, and carry it out."""
    with _ONE_AT_A_TIME:
        module, chosen = _fitting(dataset, chosen)
        path = Path(run) if run is not None else None
        name = f"{hint(dataset.source)}-{chosen.network['name']}"

        def write() -> dict[str, Any]:
            before = begun_before(path, name)
            folder = before or RunFolder.create(path, name)
            if before is None:
                write_down(folder, dataset, chosen, asked)
            return _began(folder, resume=before is not None)

        begun = team.tell(write)
        folder = RunFolder(Path(begun["folder"]))
        if begun["finished"]:
            return Run(folder.path)
        refuse_other_images(dataset, dataset.fingerprint, begun["data"]["fingerprint"], folder.path)
        with _resumable(folder, listeners):
            for note in notes if not begun["resume"] else ():
                tell(listeners, Noted(note))
            return carry_out(folder, begun, dataset, module, listeners, team)


def resume(run: str | Path, data: str | Path | None = None, *, listeners: Sequence[Listener] = ()) -> Run:
    """Continue a run from its newest good checkpoint to the same final weights as if it had never stopped.

    A finished run is returned as it is, with its report; without a checkpoint it starts again. ``data``:
    where the images are now. Raises RunError when they are not the images that the run began with.
    """
    require_train("training")
    with collecting_seldom(imports_only=True):
        from striate.training.distributed import joined

    with joined() as team, _ONE_AT_A_TIME:
        listeners = listeners if team.leads else ()
        begun = team.tell(lambda: _began(RunFolder.open(Path(run)), resume=True))
        folder = RunFolder(Path(begun["folder"]))
        if begun["finished"]:
            tell(listeners, Noted(f"{folder.path} is finished: nothing is left to do."))
            return Run(folder.path)
        if begun["settings"].get("folds") is not None:
            return carry_out_folds(folder, data, listeners, team)
        dataset = open_as(begun["settings"]["data"], begun["data"], data, listeners)
        refuse_other_images(dataset, dataset.fingerprint, begun["data"]["fingerprint"], folder.path)
        with _resumable(folder, listeners):
            model = begun["settings"]["model"]
            if begun["checkpoints"]:  # which hold all weights: a file of first ones may be gone
                model = {**model, "weights": None}
            module = build(model, begun["settings"]["settings"]["seed"])
            return carry_out(folder, begun, dataset, module, listeners, team)


def _began(folder: RunFolder, *, resume: bool) -> dict[str, Any]:
    """What stands in the folder of a run that begins or goes on, for the processes that cannot see it."""
    folds = folder.fold(1).path.exists()  # an earlier version gave them no bundle: it is made now
    finished = Run(folder.path).finished and (not folds or folder.bundle.exists())
    if finished and not folder.report.exists():  # it was stopped after its last number
        report(folder.path)
    about = None if finished else read_record(folder.data, preprocessing=dict, classes=list, fingerprint=str)
    if resume and not finished:
        folder.sweep()
    return {
        "folder": str(folder.path),
        "resume": resume,
        "finished": finished,
        "checkpoints": any(folder.checkpoints.glob("step-*")),
        "settings": None if finished else settings_of(folder),
        "data": about,
    }


@contextmanager
def _resumable(folder: RunFolder, listeners: Sequence[Listener]) -> Iterator[None]:
    """Whatever ends the work inside, Ctrl-C or the disk, the user hears how the run goes on."""
    try:
        yield
    except KeyboardInterrupt:
        tell(listeners, Noted(f"Stopped. Continue with: {how_to_go_on(folder)}"))
        raise
    except OSError as error:
        raise RunError(
            f"{error.filename or folder.path} cannot be read or written ({error.strerror or error}): make "
            f"room or mend the folder, then continue with {how_to_go_on(folder)}."
        ) from None
