"""Files that a source lists become the sets of images of a Dataset: looked at, split, decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from striate.data.check import findings_in
from striate.data.dataset import ImageSet, count_classes
from striate.data.facts import FactStore
from striate.data.files import FileSets, file_sets, fitted_sets
from striate.data.listing import Listing, labels_of
from striate.data.opening import Asked, Opened, fold_mask, validation_mask
from striate.data.preprocess import Preprocessing
from striate.data.refusals import classes_of, refuse_empty, refuse_problems, refuse_unknown
from striate.data.scan import Facts, Progress, remember, scan
from striate.data.size import choose_size
from striate.errors import DataError


def open_files(asked: Asked, found: Listing) -> Opened:
    classes, known = classes_of(found, asked.classes), FactStore(asked.name)
    facts = {split: scan(found.files(split), store=known, on_progress=asked.on_scan) for split in found.parts}
    facts = {("train" if split == "all" else split): part for split, part in facts.items()}
    every = [fact for part in facts.values() for fact in part]
    chosen, why = choose_size(every)
    channels = asked.channels or (1 if all(fact.grey for fact in every if fact.problem is None) else 3)
    usual = Preprocessing.for_size(asked.image_size or chosen, channels)
    wanted = asked.prepare(usual) if asked.prepare is not None else None
    preprocessing = wanted or usual
    why = why if asked.image_size is None and preprocessing.image_size == chosen else ""
    notes = [*found.notes, *([why] if why else [])]
    while True:  # once more where decoding has found problems that the headers did not show
        parts, told = _parts(asked, found, classes, facts)
        made = file_sets(asked.name, parts, classes, found.task, preprocessing, asked.on_progress)
        if not made.problems:
            break
        facts = {split: _marked(part, made.problems) for split, part in facts.items()}
    remember([fact for part in (*facts.values(), *made.facts.values()) for fact in part], known)
    findings = findings_in(_used(found, made, classes), made.facts)
    return Opened(classes, made.sets, usual, wanted, [*notes, *told, *made.notes], findings)


def evaluated_files(
    name: str,
    found: Listing,
    split: str,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    skip_bad: bool,
    on_progress: Progress | None,
) -> ImageSet:
    """One split, labelled by a network's ``classes``. DataError for a class that they lack."""
    refuse_unknown(found, split, classes)
    facts = scan(found.files(split), store=FactStore(name))
    while True:
        good = _sound(facts, name, skip_bad)
        if not good:
            raise DataError(
                f"{name} holds no images: name a folder with one folder of images for each class."
            )
        parts = {split: good}
        sets, bad = fitted_sets(name, parts, tuple(classes), found.task, preprocessing, on_progress)
        if not bad:
            return sets[split]
        facts = _marked(facts, bad)


def _parts(
    asked: Asked, found: Listing, classes: tuple[str, ...], facts: dict[str, list[Facts]]
) -> tuple[dict[str, list[Facts]], list[str]]:
    """The usable files of each split, val among them; and what should be said about it."""
    _sound([fact for part in facts.values() for fact in part], asked.name, asked.skip_bad)
    notes = [f"Skipped: {fact.problem}" for part in facts.values() for fact in part if fact.problem]
    good = {split: [fact for fact in part if fact.problem is None] for split, part in facts.items()}
    given = tuple(good)
    if asked.fold is not None:
        good = {"train": good["train"] + good.get("val", [])}
    train = good["train"]
    labels = labels_of([fact.file for fact in train], classes, found.task)
    refuse_empty(count_classes(labels, len(classes)), classes, asked.name)
    if "val" not in good:
        digests = [fact.digest for fact in train]
        if asked.fold is not None:
            mask = fold_mask(digests, labels, classes, asked.fold, given, notes)
        else:
            mask = validation_mask(digests, labels, classes, asked, "test" in good, notes)
        good["train"], good["val"] = (
            [fact for fact, out in zip(train, mask.tolist(), strict=True) if out == held]
            for held in (False, True)
        )
    return {split: part for split, part in good.items() if part}, notes


def _used(found: Listing, made: FileSets, classes: tuple[str, ...]) -> Listing:
    """The listing of what is used, by the splits that are used."""
    files = {split: tuple(fact.file for fact in part) for split, part in made.facts.items()}
    return Listing(found.root, files, dict.fromkeys(files, classes), (), found.task)


def _sound(facts: Sequence[Facts], name: str, skip_bad: bool) -> list[Facts]:
    """The facts without a problem. DataError where there are problems that are not to be skipped."""
    problems = [fact.problem for fact in facts if fact.problem is not None]
    refuse_problems(problems, len(facts), name, skip_bad)
    return [fact for fact in facts if fact.problem is None]


def _marked(facts: Sequence[Facts], problems: dict[str, str]) -> list[Facts]:
    """The facts, with what decoding has found out since."""
    return [
        replace(fact, problem=problems[fact.digest]) if fact.digest in problems else fact for fact in facts
    ]
