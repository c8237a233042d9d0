"""What usually suits a data set: variations by its kind, its name and its images per class.

few    under 100 images a class: strong light and shape, so that little is seen twice
some   up to 1,000
many   more: smaller parts, RandAugment, and two images in one, which tell the network not to be too sure
none   nothing is varied

Of grey small images nobody knows whether they are digits, so they are never mirrored; clothes (fashion-*)
are. The numbers are usual ones from the papers (see ``augment``); what was measured stands in docs/log.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from striate.data.augment import Augmentation
from striate.data.dataset import Dataset
from striate.errors import ArgumentError, nearest

FEW, MANY = 100, 1000  # images a class
PRESETS = ("none", "few", "some", "many")


def amount(dataset: Dataset) -> str:
    """ "few", "some" or "many": training images for each class."""
    each = len(dataset.train) / max(1, len(dataset.classes))
    return "few" if each < FEW else "some" if each <= MANY else "many"


def preset(dataset: Dataset, name: str | None = None) -> Augmentation:
    """The variations of a preset for this data set; None: the one that its images per class ask for.

    Raises ArgumentError for a name that is no preset.
    """
    name = name or amount(dataset)
    if name not in PRESETS:
        hint = nearest(name, PRESETS) or "give one of them."
        raise ArgumentError(f"augment must be one of {', '.join(PRESETS)}, got {name!r}: {hint}")
    if name == "none":
        return Augmentation()
    side = min(dataset.image_size)
    if dataset.kind == "photographs":
        return _PHOTOGRAPHS[name]
    if dataset.kind == "colour-small":
        return _COLOUR_SMALL[name](side)
    if dataset.source.startswith("fashion-"):
        return Augmentation(flip=True, shift=1, erase=max(1, 2 * side // 7))
    return Augmentation(shift=max(1, side // 14), erase=side // 7)


def in_words(how: Augmentation) -> str:
    """What is varied, as ``--vary`` takes it: "flip, shift=2, erase=4"; "nothing" where nothing is."""
    plain = Augmentation().to_json()
    changed = {name: value for name, value in how.to_json().items() if value != plain[name]}
    words = [
        name if value is True else f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in changed.items()
    ]
    return ", ".join(words) or "nothing"


_PHOTOGRAPHS = {
    "few": Augmentation(flip=True, scale_crop=(0.35, 1.0), brightness=0.2, contrast=0.2),
    "some": Augmentation(flip=True, scale_crop=(0.35, 1.0), brightness=0.1, contrast=0.1),
    "many": Augmentation(flip=True, scale_crop=(0.08, 1.0), rand_augment=(2, 9), mixup=0.2, cutmix=1.0),
}


def _small(side: int) -> Augmentation:
    return Augmentation(flip=True, shift=max(1, side // 8), erase=side // 4)


_COLOUR_SMALL: dict[str, Callable[[int], Augmentation]] = {
    "few": lambda side: replace(_small(side), brightness=0.1, contrast=0.1),
    "some": _small,
    "many": _small,
}
