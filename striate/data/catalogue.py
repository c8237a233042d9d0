"""A source becomes a Dataset to train on, or one set of images to evaluate on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from striate.data.array_source import evaluated_arrays, open_arrays
from striate.data.arrays import ArraySet
from striate.data.dataset import Dataset, ImageSet, fingerprint, measured
from striate.data.file_source import evaluated_files, open_files
from striate.data.listing import Task
from striate.data.named import DEFAULT_SOURCE
from striate.data.opening import Asked, Prepare
from striate.data.preprocess import Preprocessing
from striate.data.scan import Progress
from striate.data.source import read_source
from striate.errors import ArgumentError, DataError


def open_dataset(
    source: str | Path | None = None,
    *,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
    skip_bad: bool = False,
    classes: Sequence[str] | None = None,
    task: Task | None = None,
    root: str | Path | None = None,
    val_fraction: float | None = None,
    fold: tuple[int, int] | None = None,
    prepare: Prepare | None = None,
    on_progress: Progress | None = None,
    on_scan: Progress | None = None,
    known: ArraySet | None = None,
) -> Dataset:
    """Open a source to train on (see ``source``); None is the embedded set.

    Without a val split a part of train is held out, by content (see ``split``); with ``fold`` (2, 5) it is
    the second of five parts of train and val together, and there is no test split (see ``folds``). Size and
    channels are chosen from the images when not given; ``classes`` fixes the order of the classes (a resume).
    What ``prepare`` answers is used as it is: mean and deviation are then not those of the training images.
    ``task``: None takes what the source shows. ``root``: the folder that paths of a CSV are relative to.
    ``on_progress`` gets (images decoded, images in all), of a download (bytes, bytes in all); ``on_scan``
    (files looked at, files in all). ``known``: the source's arrays, where they were read ahead.
    Raises DataError: no such source, no or one class, an empty class, a val or test class that train
    lacks, unreadable files (unless ``skip_bad``), more images of an array than memory holds.
    """
    name = str(source) if source is not None else DEFAULT_SOURCE
    found = read_source(name, task=task, root=root, on_progress=on_progress, known=known)
    parts: Iterable[str] = found.splits if isinstance(found, ArraySet) else found.parts
    if "val" in parts and val_fraction is not None:
        raise ArgumentError(f"val_fraction is for data without a val split, {name} has one: leave it out.")
    asked = Asked(
        name, image_size, channels, skip_bad, classes, val_fraction, prepare, on_progress, on_scan, fold
    )  # fmt: skip
    opened = open_arrays(asked, found) if isinstance(found, ArraySet) else open_files(asked, found)
    preprocessing = opened.wanted or measured(opened.usual, opened.sets["train"].stored)
    return Dataset(
        name, opened.classes, preprocessing.channels, preprocessing.image_size,
        opened.sets["train"], opened.sets.get("val"), opened.sets.get("test"),
        preprocessing, tuple(opened.notes), fingerprint(opened.classes, preprocessing, opened.sets),
        found.task, tuple(opened.findings),
    )  # fmt: skip


def open_split(
    source: str | Path,
    *,
    classes: Sequence[str],
    image_size: tuple[int, int],
    channels: int,
    preprocessing: Preprocessing | None = None,
    skip_bad: bool = False,
    split: str | None = None,
    task: Task | None = None,
    root: str | Path | None = None,
    on_progress: Progress | None = None,
) -> tuple[ImageSet, str]:
    """The images to evaluate a trained network on, labelled by the network's ``classes``, and their split.

    ``preprocessing`` is the network's; None: the usual one for ``image_size`` and ``channels``. ``split`` is
    "train", "val" or "test"; None takes test, else val, else train or, of mere class folders, "all".
    Raises DataError: no such source or split, a class that the network does not know, unreadable files.
    """
    name = str(source)
    wanted = preprocessing or Preprocessing.for_size(image_size, channels)
    found = read_source(name, task=task, root=root, on_progress=on_progress)
    if isinstance(found, ArraySet):
        chosen = _pick(found.splits, split, name)
        return evaluated_arrays(name, found, chosen, classes, wanted), chosen
    chosen = _pick(found.parts, split, name)
    return evaluated_files(name, found, chosen, classes, wanted, skip_bad, on_progress), chosen


def _pick(splits: Iterable[str], wanted: str | None, name: str) -> str:
    """The name of the split to evaluate on."""
    have = list(splits)
    if wanted is None:
        return next((split for split in ("test", "val") if split in have), have[0])
    if wanted not in have and have == ["all"]:
        raise DataError(f"{name} has no splits, got split {wanted!r}: leave it out.")
    if wanted not in have:
        raise DataError(
            f"split must be one of {', '.join(have)} for {name}, got {wanted!r}: give one of them."
        )
    return wanted
