"""What is wrong with a data set, found before a night is spent on it.

Every file is opened and decoded. An error means that training would refuse or learn the wrong thing, a
warning that the result would mislead, a note that something was done or left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from striate.data.catalogue import DEFAULT_SOURCE
from striate.data.dataset import ImageSet
from striate.data.findings import DataReport, Finding
from striate.data.folder import ImageFile, Tree, read_tree
from striate.data.named import CLASSES, NAMED, read_named
from striate.data.refusals import existing
from striate.data.scan import Facts, Progress, scan

MOST_UNEQUAL = 10  # times more images in the largest class than in the smallest
FEWEST = 10  # training images in a class
LONGEST = 4  # times longer than wide
SMALLEST = 4  # times smaller than the median

Table = Mapping[str, Sequence[Facts]]
"""Split name -> what a look at each of its files told."""


def check_dataset(source: str | Path | None = None, *, on_progress: Progress | None = None) -> DataReport:
    """Look at every image of a source. Raises DataError where there is nothing to look at."""
    name = str(source) if source is not None else DEFAULT_SOURCE
    if name in NAMED:
        tree, table = _named(name)
    else:
        tree = read_tree(existing(name))
        table = {
            split: scan(tree.files(split), thorough=True, on_progress=on_progress) for split in tree.splits
        }
    findings = [
        *(Finding("note", "left-out", note) for note in tree.notes),
        *_classes(tree),
        *_unreadable(table),
        *_duplicates(table),
        *_balance(tree),
        *_sizes(table),
        *_colours(table),
    ]
    gravity = ("error", "warning", "note")
    findings.sort(key=lambda finding: gravity.index(finding.severity))
    counts = {
        split: {label: len(files) for label, files in classes.items()}
        for split, classes in tree.splits.items()
    }
    return DataReport(name, counts, tuple(findings))


def _named(name: str) -> tuple[Tree, Table]:
    """An array set as if it were a tree of files."""
    table: dict[str, list[Facts]] = {}
    splits = {}
    for split, (images, labels) in read_named(name).items():
        every = ImageSet.of_arrays(split, images, labels)
        files = [
            ImageFile(Path(key), key, CLASSES[label]) for key, label in zip(every.keys, labels, strict=True)
        ]
        table[split] = [
            Facts(file, digest, images.shape[1:3], grey=True)
            for file, digest in zip(files, every.digests, strict=True)
        ]
        splits[split] = {label: tuple(f for f in files if f.label == label) for label in CLASSES}
    return Tree(Path(name), splits, ()), table


def _train(tree: Tree) -> Mapping[str, Sequence[ImageFile]]:
    return tree.splits["all" if "all" in tree.splits else "train"]


def _classes(tree: Tree) -> Iterator[Finding]:
    train = _train(tree)
    if len(train) < 2:
        yield Finding(
            "error",
            "one-class",
            "There is one class only, a classifier needs at least two: add a folder of something else.",
        )
    for split, classes in tree.splits.items():
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


def _duplicates(table: Table) -> Iterator[Finding]:
    """Exactly equal content: in two splits it inflates the accuracy, in two classes one label is wrong."""
    copies: dict[str, list[tuple[str, ImageFile]]] = defaultdict(list)
    for split, facts in table.items():
        for fact in facts:
            if fact.digest:
                copies[fact.digest].append((split, fact.file))
    across, conflicting, within = [], [], []
    for group in copies.values():
        if len({file.label for _, file in group}) > 1:
            conflicting.append(group)
        if len({split for split, _ in group}) > 1:
            across.append(group)
        elif len(group) > 1:
            within.append(group)
    for severity, rule, groups, meaning in (
        (
            "warning",
            "conflicting-labels",
            conflicting,
            "in more than one class, so that a label must be wrong",
        ),
        (
            "warning",
            "duplicates-across-splits",
            across,
            "in more than one split, so that accuracy looks too good",
        ),
        ("note", "duplicates-within-a-split", within, "more than once in the same split"),
    ):
        if groups:
            files = tuple(" = ".join(file.key for _, file in group) for group in groups)
            yield Finding(severity, rule, f"The same picture lies {meaning}: {len(groups)} times.", files)


def _balance(tree: Tree) -> Iterator[Finding]:
    counts = {label: len(files) for label, files in _train(tree).items() if files}
    if len(counts) < 2:
        return
    most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    if counts[most] >= MOST_UNEQUAL * counts[least]:
        yield Finding(
            "warning",
            "imbalance",
            f"{most!r} has {counts[most]:,} images, {least!r} only {counts[least]:,}: "
            "look at the accuracy of each class, not at the whole.",
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
