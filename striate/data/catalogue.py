"""A source becomes a Dataset: a named set, a folder of class folders, or a train/val/test tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from striate.data.dataset import Dataset, ImageSet, fingerprint, measured
from striate.data.folder import read_tree
from striate.data.loading import choose_size, load, refuse_if_too_large
from striate.data.named import CLASSES, NAMED, read_named
from striate.data.preprocess import Preprocessing
from striate.data.refusals import classes_of, existing, refuse_empty, refuse_problems, refuse_unknown
from striate.data.scan import Progress, scan
from striate.data.split import default_fraction, held_out
from striate.errors import ArgumentError, DataError

DEFAULT_SOURCE = "fashion-mini"

Prepare = Callable[[Preprocessing], Preprocessing | None]
"""Gets how images would be prepared; answers how weights that were learned elsewhere want it, or None."""


def open_dataset(
    source: str | Path | None = None,
    *,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
    skip_bad: bool = False,
    classes: Sequence[str] | None = None,
    val_fraction: float | None = None,
    prepare: Prepare | None = None,
    on_progress: Progress | None = None,
) -> Dataset:
    """Open a source to train on; None is the embedded set.

    Without a val split a part of train is held out, by content (see ``split``). Size and channels are
    chosen from the images when not given; ``classes`` fixes the order of the classes (a resume). What
    ``prepare`` answers is used as it is: mean and deviation are then not those of the training images.
    ``on_progress`` gets (images decoded, images in all), of a download (bytes, bytes in all).
    Raises DataError: no such source, no or one class, an empty class, a val or test class that train
    lacks, unreadable files (unless ``skip_bad``), more images than memory holds.
    """
    name = str(source) if source is not None else DEFAULT_SOURCE
    if name in NAMED:
        splits, names, usual, wanted, notes = _open_named(
            name, image_size, channels, classes, prepare, on_progress
        )
    else:
        splits, names, usual, wanted, notes = _open_folder(
            name, image_size, channels, skip_bad, classes, prepare, on_progress
        )
    if "val" not in splits:
        fraction = (
            val_fraction
            if val_fraction is not None
            else default_fraction(len(splits["train"]), "test" in splits)
        )
        splits = _hold_out(splits, fraction)
        notes.append(
            f"No val split is given: {len(splits['val']):,} training images ({100 * fraction:.3g}% of each "
            "class, chosen by their content) are held out."
        )
    elif val_fraction is not None:
        raise ArgumentError(f"val_fraction is for data without a val split, {name} has one: leave it out.")
    preprocessing = wanted or measured(usual, splits["train"].images)
    return Dataset(
        name, names, preprocessing.channels, preprocessing.image_size,
        splits["train"], splits.get("val"), splits.get("test"),
        preprocessing, tuple(notes), fingerprint(names, preprocessing, splits),
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
    on_progress: Progress | None = None,
) -> tuple[ImageSet, str]:
    """The images to evaluate a trained network on, labelled by the network's ``classes``, and their split.

    ``preprocessing`` is the network's; None: the usual one for ``image_size`` and ``channels``. ``split`` is
    "train", "val" or "test"; None takes test, else val, else train or, of mere class folders, "all".
    Raises DataError: no such source or split, a class that the network does not know, unreadable files.
    """
    name = str(source)
    wanted = preprocessing or Preprocessing.for_size(image_size, channels)
    if name in NAMED:
        splits, *_ = _open_named(name, image_size, channels, classes, lambda _: wanted, on_progress)
        chosen = _pick(splits, split, name)
        return splits[chosen], chosen
    tree = read_tree(existing(name))
    chosen = _pick(tree.splits, split, name)
    refuse_unknown(tree, chosen, classes)
    facts = scan(tree.files(chosen))
    refuse_if_too_large(len(facts), wanted)
    images, problems = load(facts, wanted, classes, on_progress)
    refuse_problems(problems, len(facts), name, skip_bad)
    if not len(images):
        raise DataError(f"{name} holds no images: name a folder with one folder of images for each class.")
    return images, chosen


_Opened = tuple[dict[str, ImageSet], tuple[str, ...], Preprocessing, Preprocessing | None, list[str]]


def _open_named(
    name: str,
    image_size: tuple[int, int] | None,
    channels: int | None,
    classes: Sequence[str] | None,
    prepare: Prepare | None,
    on_progress: Progress | None,
) -> _Opened:
    if classes is not None and tuple(classes) != CLASSES:
        raise DataError(f"{name} has the classes {', '.join(CLASSES)}, not {', '.join(classes)}.")
    splits = {
        split: ImageSet.of_arrays(split, images, labels)
        for split, (images, labels) in read_named(name, on_progress).items()
    }
    usual = Preprocessing.for_size(image_size or splits["train"].images.shape[1:3], channels or 1)
    wanted = prepare(usual) if prepare is not None else None
    preprocessing = wanted or usual
    if splits["train"].images.shape[1:] != (*preprocessing.image_size, preprocessing.channels):
        splits = {split: _refit(images, preprocessing) for split, images in splits.items()}
    return splits, CLASSES, usual, wanted, []


def _refit(images: ImageSet, preprocessing: Preprocessing) -> ImageSet:
    """An array set in another size or with its one channel repeated."""
    refuse_if_too_large(len(images), preprocessing)
    pixels = np.repeat(images.images, preprocessing.channels, axis=3)
    return ImageSet(
        images.keys, images.labels, np.stack([preprocessing.fit(one) for one in pixels]), images.digests
    )


def _open_folder(
    name: str,
    image_size: tuple[int, int] | None,
    channels: int | None,
    skip_bad: bool,
    classes: Sequence[str] | None,
    prepare: Prepare | None,
    on_progress: Progress | None,
) -> _Opened:
    tree = read_tree(existing(name))
    names = classes_of(tree, classes)
    notes = list(tree.notes)
    facts = {split: scan(tree.files(split)) for split in tree.splits}
    every = [fact for part in facts.values() for fact in part]
    chosen, why = choose_size(every)
    if channels is None:
        channels = 1 if all(fact.grey for fact in every if fact.problem is None) else 3
    usual = Preprocessing.for_size(image_size or chosen, channels)
    wanted = prepare(usual) if prepare is not None else None
    preprocessing = wanted or usual
    if image_size is None and why and preprocessing.image_size == chosen:
        notes.append(why)
    refuse_if_too_large(len(every), preprocessing)
    splits: dict[str, ImageSet] = {}
    problems: list[str] = []
    done = 0
    for split, part in facts.items():
        images, found = load(part, preprocessing, names, _after(done, len(every), on_progress))
        done += len(part)
        splits["train" if split == "all" else split] = images
        problems += found
    refuse_problems(problems, len(every), name, skip_bad)
    notes += [f"Skipped: {problem}" for problem in problems]
    refuse_empty(splits["train"].per_class(len(names)), names, name)
    return {split: images for split, images in splits.items() if len(images)}, names, usual, wanted, notes


def _after(done: int, total: int, on_progress: Progress | None) -> Progress | None:
    """Progress of one split told as progress of the whole."""
    if on_progress is None:
        return None
    return lambda here, _: on_progress(done + here, total)


def _hold_out(splits: dict[str, ImageSet], fraction: float) -> dict[str, ImageSet]:
    train = splits["train"]
    mask = held_out(train.digests, train.labels, fraction)
    if not mask.any():
        raise DataError(
            "No validation images can be held out: every class has only one image, or copies of one. "
            "Add images, or give a val/ folder."
        )
    return {"train": train.subset(~mask), "val": train.subset(mask)} | {
        name: images for name, images in splits.items() if name != "train"
    }


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
