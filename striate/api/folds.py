"""``folds``: k-fold cross-validation. A folder of runs, one for each fold, and what they say together.

    runs/photos-resnet18-folds-1/{settings.json, data.json, fold-1/, ..., fold-5/, result.json, report.html}

Each fold is an ordinary run, with the same choices, classes and preprocessing (mean and deviation are those
of the first fold's training images); it differs by the images that it holds out (``data.folds``). The folder
has a bundle too, which answers with the mean of the folds' networks (see ``api.ensemble``); it is as slow as
all of them, and ``--like FOLDER`` trains the one network on all images.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.api.choices import Choice, begun_before, hint, write_down
from striate.api.run import Run
from striate.api.stages import Listener, Noted, tell
from striate.runs import RunFolder, read_record

if TYPE_CHECKING:
    from striate.data.dataset import Dataset
    from striate.training.team import Team


def begin_folds(
    first: Dataset,
    chosen: Choice,
    asked: Mapping[str, Any],
    folds: int,
    run: str | Path | None,
    notes: Sequence[str],
    listeners: Sequence[Listener],
    team: Team,
) -> Run:
    """Write down what was chosen on the ``first`` fold's data, and train one fold after the other.

    ``asked`` is what decides how DATA is read. The network is known to fit.
    """
    path = Path(run) if run is not None else None
    name = f"{hint(first.source)}-{chosen.network['name']}-folds"

    def write() -> str:
        before = begun_before(path, name)
        folder = before or RunFolder.create(path, name)
        if before is None:
            write_down(folder, first, chosen, asked, _about(first, folds))
        return str(folder.path)

    folder = RunFolder(Path(team.tell(write)))
    for note in notes:
        tell(listeners, Noted(note))
    return carry_out_folds(folder, None, listeners, team)


def carry_out_folds(
    folder: RunFolder, data: str | Path | None, listeners: Sequence[Listener], team: Team
) -> Run:
    """Train the folds that are not finished, then say what they say together; ``data``: where it is now.

    Returns an unfinished Run where one was interrupted.
    """
    from striate.api.crossing import sum_up

    count = int(read_record(folder.settings, folds=int)["folds"])
    for number in range(1, count + 1):
        fold = folder.fold(number)
        if not team.tell(fold.result.exists):
            tell(listeners, Noted(f"Fold {number} of {count}."))
            _train(folder, number, count, data, listeners, team)
            if not team.tell(fold.result.exists):  # interrupted; the lead alone knows when all is written
                return Run(folder.path)
    team.tell(partial(sum_up, folder, count, data, listeners))
    return Run(folder.path)


def of_first_fold(asked: Mapping[str, Any], folds: int | None) -> dict[str, Any]:
    """How DATA is read for the first of ``folds``, on which everything is chosen; None: as ``asked``."""
    return {**asked, "fold": [1, folds]} if folds is not None else dict(asked)


def _train(
    folder: RunFolder,
    number: int,
    count: int,
    data: str | Path | None,
    listeners: Sequence[Listener],
    team: Team,
) -> Run:
    """The rest of one fold, or all of it."""
    from striate.api.reopening import as_asked, open_as, refuse_other_images
    from striate.api.training import begin, resume

    path = folder.fold(number).path

    def begun() -> bool:
        if (path / "settings.json").exists():
            return True
        if path.exists():  # killed before anything was learned
            shutil.rmtree(path)
        return False

    if team.tell(begun):
        return resume(path, data, listeners=listeners)

    def written() -> list[dict[str, Any]]:
        kinds = {"model": dict, "settings": dict, "augmentation": dict, "data": dict}
        return [
            read_record(folder.settings, **kinds),
            read_record(folder.data, preprocessing=dict, classes=list, fingerprint=str),
        ]

    settings, known = team.tell(written)
    asked = {**settings["data"], "fold": [number, count]}
    dataset = open_as(asked, known, data, listeners)
    refuse_other_images(dataset, _fingerprint(dataset), known["fingerprint"], folder.path)
    unasked = tuple(settings.get("unasked", ()))
    chosen = Choice(settings["model"], settings["settings"], settings["augmentation"], unasked=unasked)
    return begin(dataset, chosen, as_asked(asked, data), path, (), listeners, team)


def _about(dataset: Dataset, folds: int) -> dict[str, Any]:
    """What data.json says of all folds together."""
    counts = [images.per_class(len(dataset.classes)) for images in dataset.splits.values()]
    whole = {
        "images": sum(map(len, dataset.splits.values())),
        "per_class": [sum(c) for c in zip(*counts, strict=True)],
    }
    return {"folds": folds, "splits": {"train": whole}, "fingerprint": _fingerprint(dataset)}


def _fingerprint(dataset: Dataset) -> str:
    """SHA-256 over all images and labels, whichever fold holds them out."""
    lines = [
        f"{digest} {label}"
        for images in dataset.splits.values()
        for digest, label in zip(images.digests, images.labels.tolist(), strict=True)
    ]
    return hashlib.sha256("\n".join([*dataset.classes, *sorted(lines)]).encode()).hexdigest()
