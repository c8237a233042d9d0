"""Tar shards as a source: shard-{000..999}.tar, one tar, or a folder of them.

A shard whose name, or whose folder's, begins with train, val or test belongs to that split:
{train,val}-{000..009}.tar. Beside the shards a file classes.txt (or classnames.txt) with one name a line may
say what the numbers 0, 1, 2 in them mean. Local shards are indexed once and read at any place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from striate.data.facts import FactStore, stamp_of
from striate.data.listing import SPLIT_OF, ImageFile, Listing, Task, in_order, left_out_note, readable
from striate.data.tar import TarSample, read_tar
from striate.errors import DataError

_NAMES_OF_CLASSES = ("classes.txt", "classnames.txt")
_SHOWN = 5


def tars_in(folder: Path) -> list[Path]:
    """The tars of a folder that holds them, directly or in folders called after splits; else []."""
    places = [folder, *(folder / entry.name for entry in sorted(folder.iterdir()) if _is_split(entry))]
    return [tar for place in places for tar in sorted(place.glob("*.tar")) if tar.is_file()]


def _is_split(entry: Path) -> bool:
    return entry.is_dir() and entry.name.casefold() in SPLIT_OF


def read_shards(
    name: str, tars: Sequence[Path], task: Task | None = None, places: Sequence[PurePath] | None = None
) -> Listing:
    """The images of tars. ``name`` is what messages call them; ``task`` as in ``read_table``.

    ``places``: where each tar belongs, which decides its split and its images' keys; None: where it lies.
    Raises DataError: shards that are missing or damaged, images without a label, a split of some shards only.
    """
    missing = [tar for tar in tars if not tar.is_file()]
    if missing:
        raise DataError(
            f"{missing[0]} does not exist ({len(missing):,} of {len(tars):,} shards are missing): check the "
            "pattern, or fetch them."
        )
    places = places or tars
    root = _common(places)
    left_out: list[str] = []
    names = {
        tar: readable(place.relative_to(root).with_suffix("").as_posix())
        for tar, place in zip(tars, places, strict=True)
    }
    known = FactStore(f"{root}/*.tar")
    samples = [(tar, sample) for tar in tars for sample in _indexed(tar, known, left_out)]
    known.save()
    if not samples:
        raise DataError(f"{name} holds no images: write each as NAME.jpg with its label in NAME.cls.")
    several = any(len(sample.labels) > 1 for _, sample in samples)
    task = task or ("labels" if several else "classes")
    _refuse_wrong_labels(name, task, samples, names)
    meaning = _names_of_classes(tars, {label for _, sample in samples for label in sample.labels})
    splits = dict(zip(tars, _splits(name, places), strict=True))
    parts: dict[str, list[ImageFile]] = {}
    for tar, sample in samples:
        labels = tuple(meaning.get(label, label) for label in sample.labels)
        file = ImageFile(tar, f"{names[tar]}/{sample.name}", labels, sample.span)
        parts.setdefault(splits[tar], []).append(file)
    order = in_order([label for _, sample in samples for label in sample.labels])
    names_in_order = tuple(meaning.get(label, label) for label in order)
    classes = {split: _seen(names_in_order, files) for split, files in parts.items()}
    return Listing(
        name, {s: tuple(files) for s, files in parts.items()}, classes, left_out_note(left_out), task
    )


def _indexed(tar: Path, known: FactStore, left_out: list[str]) -> list[TarSample]:
    """What ``read_tar`` finds, or found when the tar was last read."""
    stamp = stamp_of(tar)
    try:
        rows, others = known.get(str(tar), stamp)
        samples = [
            TarSample(str(name), (int(start), int(size)), tuple(map(str, labels)))
            for name, start, size, labels in rows
        ]
        left_out += map(str, others)
        return samples
    except (TypeError, ValueError):  # nothing is known, or not in this form
        own: list[str] = []
        samples = read_tar(tar, own)
        known.put(str(tar), stamp, [[[s.name, *s.span, list(s.labels)] for s in samples], own])
        left_out += own
        return samples


def _seen(known: Sequence[str], files: Iterable[ImageFile]) -> tuple[str, ...]:
    """Those of ``known`` that some file has."""
    seen = {label for file in files for label in file.labels}
    return tuple(label for label in known if label in seen)


def _common(places: Sequence[PurePath]) -> PurePath:
    """The deepest folder above all shards."""
    if len({place.anchor for place in places}) > 1:  # two drives of Windows, or a path from the root
        raise DataError(f"{places[0]} and {places[-1]} must lie below one folder: put them there.")
    common = places[0].parent
    while not all(place.is_relative_to(common) for place in places):
        common = common.parent
    return common


def _refuse_wrong_labels(
    name: str, task: Task, samples: Sequence[tuple[Path, TarSample]], names: dict[Path, str]
) -> None:
    if task == "labels":
        return
    keys = [(f"{names[tar]}/{sample.name}", len(sample.labels)) for tar, sample in samples]
    without = [key for key, labels in keys if not labels]
    if without:
        shown = ", ".join(without[:_SHOWN])
        raise DataError(
            f"{len(without):,} of {len(samples):,} images in {name} have no label ({shown}): put "
            "NAME.cls beside NAME.jpg, or each class into a folder of its own."
        )
    more = [key for key, labels in keys if labels > 1]
    if more:
        raise DataError(f"{name} gives several labels to {more[0]}: leave --task out, or give labels.")


def _names_of_classes(tars: Sequence[Path], labels: set[str]) -> dict[str, str]:
    """Number -> name, from a file beside the shards; {} without one, or where labels are names already."""
    if not all(label.isascii() and label.isdigit() for label in labels):
        return {}
    for path in _beside(tars):
        try:
            lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path} cannot be read ({error}): write one name a line, in UTF-8.") from None
        names = [readable(line) for line in lines if line]
        beyond = [label for label in labels if int(label) >= len(names)]
        if beyond or len(set(names)) < len(names):
            raise DataError(
                f"{path} must name every class once, it has {len(names)} lines "
                f"({len(set(names))} different) and the shards a label {max(labels, key=int)}: complete it."
            )
        return {label: names[int(label)] for label in labels}
    return {}


def _beside(tars: Sequence[Path]) -> Iterator[Path]:
    for folder in (tars[0].parent, Path(_common(tars))):
        for name in _NAMES_OF_CLASSES:
            if (folder / name).is_file():
                yield folder / name


def _splits(name: str, places: Sequence[PurePath]) -> list[str]:
    """The split of each shard, "all" for all where none is named."""
    found = [_split_of(place) for place in places]
    named = sorted({split for split in found if split is not None})
    if not named:
        return ["all"] * len(places)
    if None in found:
        raise DataError(
            f"Of {name} some shards belong to {' and '.join(named)}, {places[found.index(None)].name} does "
            "not say: let its name begin with train-, val- or test-."
        )
    if "train" not in named:
        raise DataError(f"{name} has shards of {' and '.join(named)} but none of train: add them.")
    return [split for split in found if split is not None]


def _split_of(place: PurePath) -> str | None:
    first = re.split(r"[-._]", place.name.casefold())[0]
    return SPLIT_OF.get(first) or SPLIT_OF.get(place.parent.name.casefold())
