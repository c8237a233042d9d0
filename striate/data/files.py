"""Files whose facts are known become sets of images: fitted, or whole where photographs are trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from striate.data.cache import cache_folder
from striate.data.dataset import ImageSet, Whole
from striate.data.frame import Frame
from striate.data.listing import Task, labels_of
from striate.data.pixels import Decoded, Pixels, chosen
from striate.data.preprocess import SMALL_SIDE, Preprocessing
from striate.data.scan import Facts, Progress
from striate.data.store import Stored, store


@dataclass(frozen=True)
class FileSets:
    """The sets by split, and the facts of their images with what decoding told.

    ``problems``: digest -> sentence of files that do not decode; where there are any, there are no sets.
    """

    sets: dict[str, ImageSet]
    facts: dict[str, list[Facts]]
    problems: dict[str, str]
    notes: list[str]


def file_sets(
    source: str,
    parts: Mapping[str, Sequence[Facts]],
    classes: tuple[str, ...],
    task: Task,
    preprocessing: Preprocessing,
    on_progress: Progress | None,
) -> FileSets:
    """The sets of a data set to train on. Of photographs the split train is kept whole, to be cropped."""
    total = sum(map(len, parts.values()))
    photographs = max(preprocessing.image_size) > SMALL_SIDE
    groups = [["train"], [split for split in parts if split != "train"]] if photographs else [list(parts)]
    made = FileSets({}, {}, {}, [])
    done = 0
    for group in groups:
        whole = photographs and group == ["train"]
        every = [fact for split in group for fact in parts[split]]
        frame = Frame(preprocessing, whole)
        kept = store(every, frame, source, _after(done, total, on_progress))
        done += len(every)
        if kept.pixels is None:
            made.problems.update(kept.problems)
            continue
        made.notes.extend(_note(kept, frame, whole))
        for split, rows in _rows(group, parts):
            facts = [kept.facts[row] for row in rows]
            made.facts[split] = facts
            pixels = chosen(kept.pixels, rows)
            made.sets[split] = _image_set(facts, pixels, classes, task, preprocessing if whole else None)
    return made


def fitted_sets(
    source: str,
    parts: Mapping[str, Sequence[Facts]],
    classes: tuple[str, ...],
    task: Task,
    preprocessing: Preprocessing,
    on_progress: Progress | None,
) -> tuple[dict[str, ImageSet], dict[str, str]]:
    """Sets to evaluate on, and the problems as in ``FileSets``."""
    every = [fact for part in parts.values() for fact in part]
    kept = store(every, Frame(preprocessing, whole=False), source, on_progress)
    if kept.pixels is None:
        return {}, dict(kept.problems)
    sets = {
        split: _image_set([kept.facts[row] for row in rows], chosen(kept.pixels, rows), classes, task, None)
        for split, rows in _rows(list(parts), parts)
    }
    return sets, {}


def _image_set(
    facts: Sequence[Facts],
    pixels: Pixels,
    classes: tuple[str, ...],
    task: Task,
    whole_of: Preprocessing | None,
) -> ImageSet:
    """``whole_of``: the pixels are whole photographs; fitted with this they are decoded when asked for."""
    files = [fact.file for fact in facts]
    keys, digests = tuple(file.key for file in files), tuple(fact.digest for fact in facts)
    labels = labels_of(files, classes, task)
    if whole_of is None:
        return ImageSet(keys, labels, pixels, digests)
    aspects = np.array([fact.size[1] / fact.size[0] for fact in facts], np.float32)
    fitted = Decoded(files, Frame(whole_of, whole=False))
    return ImageSet(keys, labels, fitted, digests, Whole(pixels, aspects))


def _rows(group: Sequence[str], parts: Mapping[str, Sequence[Facts]]) -> list[tuple[str, np.ndarray]]:
    """Which rows of the joined parts are whose."""
    ends = list(accumulate((len(parts[split]) for split in group), initial=0))
    return [(split, np.arange(ends[k], ends[k + 1])) for k, split in enumerate(group)]


def _note(kept: Stored, frame: Frame, whole: bool) -> list[str]:
    size = len(kept.facts) * int(np.prod(frame.shape)) / 2**30
    what = "training images" if whole else "images"
    if kept.how == "pack":
        place = cache_folder() / "packs"
        return [
            f"The decoded {what} are kept in {place} ({size:.1f} GiB); striate cache lists and clears it."
        ]
    if kept.how == "anew":
        return [
            f"The {what} take {size:.1f} GiB decoded, for which neither memory nor cache has room: they are "
            "decoded anew in every epoch. STRIATE_CACHE_LIMIT sets the limit, STRIATE_CACHE the place."
        ]
    return []


def _after(done: int, total: int, on_progress: Progress | None) -> Progress | None:
    """Progress of one part told as progress of the whole."""
    if on_progress is None:
        return None
    return lambda here, _: on_progress(done + here, total)
