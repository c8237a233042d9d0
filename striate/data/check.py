"""What is wrong with a data set, found before a night is spent on it.

Every file is opened and decoded. An error means that training would refuse or learn the wrong thing, a
warning that the result would mislead, a note that something was done or left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from striate.data.arrays import ArraySet
from striate.data.dataset import ImageSet
from striate.data.facts import FactStore
from striate.data.findings import DataReport, Finding
from striate.data.likeness import hashes_of
from striate.data.listing import ImageFile, Listing, Task
from striate.data.named import DEFAULT_SOURCE, NAMED
from striate.data.scan import Facts, Progress, scan
from striate.data.source import read_source
from striate.data.twins import Table, alike_findings, copies

MOST_UNEQUAL = 10  # times more images in the largest class than in the smallest
FEWEST = 10  # training images in a class
LONGEST = 4  # times longer than wide
SMALLEST = 4  # times smaller than the median


def check_dataset(
    source: str | Path | None = None,
    *,
    task: Task | None = None,
    root: str | Path | None = None,
    on_progress: Progress | None = None,
) -> DataReport:
    """Look at every image of a source. Raises DataError where there is nothing to look at."""
    name = str(source) if source is not None else DEFAULT_SOURCE
    read = read_source(name, task=task, root=root)
    if isinstance(read, ArraySet):
        sets = {split: ImageSet.of_arrays(split, *arrays) for split, arrays in read.splits.items()}
        found, table = array_table(name, sets, read.classes, read.task)
    else:
        found, known = read, FactStore(name)
        table = {
            split: scan(found.files(split), thorough=True, store=known, on_progress=on_progress)
            for split in found.parts
        }
    findings = [
        *(Finding("note", "left-out", note) for note in found.notes),
        *_classes(found),
        *_unreadable(table),
        *copies(table),
        *alike_findings(table),
        *_balance(found),
        *_sizes(table),
        *_colours(table),
    ]
    gravity = ("error", "warning", "note")
    findings.sort(key=lambda finding: gravity.index(finding.severity))
    counts = {
        split: {label: len(files) for label, files in classes.items()}
        for split, classes in found.splits.items()
    }
    images = {split: len(files) for split, files in found.parts.items()}
    return DataReport(name, images, counts, tuple(findings))


def findings_in(found: Listing, table: Table) -> tuple[Finding, ...]:
    """What would mislead about images that training can use: copies, twins, imbalance. No notes."""
    every = (*copies(table), *alike_findings(table), *_balance(found))
    return tuple(finding for finding in every if finding.severity != "note")


def array_table(
    name: str, sets: Mapping[str, ImageSet], classes: Sequence[str], task: Task
) -> tuple[Listing, Table]:
    """Sets that are arrays as if they were listed files, and the facts of their images."""
    table: dict[str, list[Facts]] = {}
    for split, images in sets.items():
        rows = images.labels.tolist()
        hashes = hashes_of(np.asarray(images.images)) if name not in NAMED else None
        named = (
            tuple(label for label, there in zip(classes, row, strict=True) if there)
            if task == "labels"
            else (classes[row],)
            for row in rows
        )
        _, height, width, channels = images.images.shape
        table[split] = [
            Facts(ImageFile(Path(key), key, labels), digest, (height, width), channels == 1)
            for key, digest, labels in zip(images.keys, images.digests, named, strict=True)
        ]
        if hashes is not None:
            table[split] = [
                replace(fact, likeness=one.tobytes()) for fact, one in zip(table[split], hashes, strict=True)
            ]
    files = {split: tuple(fact.file for fact in facts) for split, facts in table.items()}
    return Listing(Path(name), files, dict.fromkeys(files, tuple(classes)), (), task), table


def _classes(found: Listing) -> Iterator[Finding]:
    train = found.splits[found.training]
    if len(train) < 2 and found.task == "classes":
        yield Finding(
            "error",
            "one-class",
            "There is one class only, a classifier needs at least two: add a folder of something else.",
        )
    for split, classes in found.splits.items():
        for label, files in classes.items():
            if label not in train:
                yield Finding(
                    "error",
                    "unknown-class",
                    f"{split} has the class {label!r}, which train lacks: add it there, or remove it.",
                    tuple(file.key for file in files),
                )
            elif not files and classes is train:
                yield Finding(
                    "error",
                    "empty-class",
                    f"The class {label!r} has no images to train on: add images, or remove it.",
                )
        for label in train:
            if classes is not train and not classes.get(label):
                yield Finding("warning", "missing-class", f"{split} has no images of the class {label!r}.")


def _unreadable(table: Table) -> Iterator[Finding]:
    for facts in table.values():
        for fact in facts:
            if fact.problem is not None:
                yield Finding("error", "unreadable", fact.problem, (fact.file.key,))


def _balance(found: Listing) -> Iterator[Finding]:
    counts = {label: len(files) for label, files in found.splits[found.training].items() if files}
    if len(counts) < 2:
        return
    most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    if counts[most] >= MOST_UNEQUAL * counts[least]:
        yield Finding(
            "warning",
            "imbalance",
            f"{most!r} has {counts[most]:,} images, {least!r} only {counts[least]:,}: look at the accuracy "
            "of each class, not at the whole, or train with --balance loss (or sampler).",
        )
    few = [label for label, count in counts.items() if count < FEWEST]
    if few:
        yield Finding(
            "warning",
            "few-images",
            f"{len(few)} classes have fewer than {FEWEST} images to train on: {', '.join(few)}.",
        )


def _sizes(table: Table) -> Iterator[Finding]:
    sizes = [(fact, fact.size) for facts in table.values() for fact in facts if fact.problem is None]
    if not sizes:
        return
    usual = median(min(size) for _, size in sizes)
    odd = {
        "long": [fact for fact, size in sizes if max(size) > LONGEST * min(size)],
        "small": [fact for fact, size in sizes if SMALLEST * min(size) < usual],
    }
    texts = {
        "long": f"more than {LONGEST} times longer than wide, in a square little is left of them",
        "small": f"more than {SMALLEST} times smaller than the median of {usual:g} pixels",
    }
    for kind, facts in odd.items():
        if facts:
            files = tuple(f"{f.file.key} ({f.size[0]}x{f.size[1]})" for f in facts)
            yield Finding("warning", f"{kind}-images", f"Images {texts[kind]}: {len(facts)}.", files)


def _colours(table: Table) -> Iterator[Finding]:
    counts = Counter(fact.grey for facts in table.values() for fact in facts if fact.problem is None)
    if counts[True] and counts[False]:
        yield Finding(
            "note",
            "grey-among-colour",
            f"{counts[True]:,} images are grey, {counts[False]:,} are in colour: all are used as colour.",
        )
