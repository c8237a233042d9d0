"""What a source must be to be trained on, each rule as the sentence that refuses it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from striate.data.arrays import ArraySet
from striate.data.listing import Listing
from striate.errors import DataError

_SHOWN = 5


def classes_of(found: Listing, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """The classes, learned from train alone, in the order of their names or as ``wanted``.

    Raises DataError: fewer than two, an empty one, one that only another split has, not those wanted.
    """
    train = found.splits[found.training]
    what = "label" if found.task == "labels" else "class"
    if len(train) < 2 and found.task == "classes":
        raise DataError(
            f"{found.root} has one class ({', '.join(train) or 'none'}), a classifier needs at least two: "
            "add images of something else."
        )
    for label, files in train.items():
        if not files:
            raise _empty(label, found.root)
    for split, own in found.splits.items():
        unknown = [label for label, files in own.items() if files and label not in train]
        if unknown:
            raise DataError(
                f"{split} has the {what} {unknown[0]!r}, which train lacks (train has {', '.join(train)}): "
                f"add images of it to train, or remove it from {split}."
            )
    return _in_wanted_order(str(found.root), tuple(train), wanted)


def known_classes(
    name: str, found: ArraySet, wanted: Sequence[str] | None, *, all_of_them: bool = False
) -> tuple[str, ...]:
    """The classes of an array set in the order of ``wanted``, which may have more unless ``all_of_them``.

    Raises DataError as ``classes_of``.
    """
    if all_of_them or wanted is None:
        if len(found.classes) < 2 and found.task == "classes":
            raise DataError(f"{name} has one class, a classifier needs at least two: add another.")
        return _in_wanted_order(name, found.classes, wanted)
    unknown = [label for label in found.classes if label not in wanted]
    if unknown:
        raise DataError(
            f"{name} has the classes {', '.join(found.classes)}, not {', '.join(wanted)}: the network was "
            f"not trained on {unknown[0]!r}; rename or remove it."
        )
    return tuple(wanted)


def _in_wanted_order(name: str, have: tuple[str, ...], wanted: Sequence[str] | None) -> tuple[str, ...]:
    if wanted is None:
        return have
    if set(wanted) != set(have):
        raise DataError(
            f"{name} has the classes {', '.join(have)}, but {', '.join(wanted)} are asked for: "
            "use the data that the classes were learned from."
        )
    return tuple(wanted)


def refuse_unknown(found: Listing, split: str, classes: Sequence[str]) -> None:
    """Raise DataError when a split has images of a class that the network was not trained on."""
    unknown = [label for label, files in found.splits[split].items() if files and label not in classes]
    if unknown:
        raise DataError(
            f"{found.root} has the class {unknown[0]!r}, which the network was not trained on (it knows "
            f"{', '.join(classes)}): rename or remove the folder."
        )


def refuse_problems(problems: Sequence[str], images: int, name: str, skip_bad: bool) -> None:
    """Raise DataError when files cannot be used and are not to be skipped, or when none is left."""
    if not problems:
        return
    if len(problems) == images:
        raise DataError(f"None of the {images} images in {name} can be read. The first: {problems[0]}")
    if not skip_bad:
        more = f" ... and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise DataError(
            f"{len(problems)} of {images} images in {name} cannot be used: "
            f"{' '.join(problems[:_SHOWN])}{more} Or leave them out with --skip-bad."
        )


def refuse_empty(per_class: Sequence[int], classes: Sequence[str], name: str) -> None:
    """Raise DataError when a class has no image left after the unreadable ones were skipped."""
    for label, count in zip(classes, per_class, strict=True):
        if not count:
            raise _empty(label, name)


def _empty(label: str, root: Path | str) -> DataError:
    return DataError(f"The class {label!r} in {root} has no usable images: add images, or remove the folder.")
