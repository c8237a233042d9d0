"""What a source must be to be trained on, each rule as the sentence that refuses it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from striate.data.folder import Tree
from striate.data.named import NAMED
from striate.errors import DataError, nearest

_SHOWN = 5


def existing(name: str) -> Path:
    """The path of a source that is no named set. Raises DataError with the nearest named sets."""
    if not name.strip():  # Path("") would be the folder that one stands in
        raise DataError("DATA must be a folder of images or a named set, got nothing: name the folder.")
    path = Path(name).expanduser()
    if not path.exists():
        hint = nearest(name, NAMED)
        raise DataError(
            f"DATA must be a folder of images or a named set, {name} does not exist: "
            + (hint or f"check the path, or give one of {', '.join(NAMED)}.")
        )
    return path


def classes_of(tree: Tree, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """The classes, learned from train alone, in the order of their names or as ``wanted``.

    Raises DataError: fewer than two, an empty one, one that only another split has, not those wanted.
    """
    train = tree.splits["all" if "all" in tree.splits else "train"]
    if len(train) < 2:
        raise DataError(
            f"{tree.root} has one class folder ({next(iter(train))}), a classifier needs at least two: "
            "add a folder with images of something else."
        )
    for label, files in train.items():
        if not files:
            raise _empty(label, tree.root)
    for split, folders in tree.splits.items():
        unknown = [label for label, files in folders.items() if files and label not in train]
        if unknown:
            raise DataError(
                f"{split} has the class {unknown[0]!r}, which train lacks (train has {', '.join(train)}): "
                f"add images of it to train, or remove it from {split}."
            )
    if wanted is None:
        return tuple(train)
    if set(wanted) != set(train):
        raise DataError(
            f"{tree.root} has the classes {', '.join(train)}, but {', '.join(wanted)} are asked for: "
            "use the data that the classes were learned from."
        )
    return tuple(wanted)


def refuse_unknown(tree: Tree, split: str, classes: Sequence[str]) -> None:
    """Raise DataError when a split has images of a class that the network was not trained on."""
    unknown = [label for label, files in tree.splits[split].items() if files and label not in classes]
    if unknown:
        raise DataError(
            f"{tree.root} has the class {unknown[0]!r}, which the network was not trained on (it knows "
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
