"""What a source of images becomes: classes, and up to three sets of images of one size in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.data.findings import Finding
from striate.data.listing import Task
from striate.data.pixels import Pixels, chosen
from striate.data.preprocess import SMALL_SIDE, Preprocessing


@dataclass(frozen=True, eq=False)
class Whole:
    """Photographs that are not cut yet, for training to cut parts out of."""

    pixels: Pixels
    """(N, H, W, C), each stretched to this size."""
    aspects: NDArray[np.float32]
    """(N,): width / height as they were."""


@dataclass(frozen=True)
class ImageSet:
    """One split. ``images[i]``, ``labels[i]``, ``keys[i]`` and ``digests[i]`` belong together."""

    keys: tuple[str, ...]
    """The file's path from the root, or "train/00012" for a set that is an array."""
    labels: NDArray[np.int64]
    """(N,): index into the classes; 0 and 1 (N, K) where an image may have several labels."""
    images: Pixels
    """uint8 (N, H, W, C) as evaluation sees them: an array, or what is read like one (see ``pixels``)."""
    digests: tuple[str, ...] = ()
    """SHA-256 of each image's content (the file's bytes, or the pixels), hexadecimal; () if not taken."""
    whole: Whole | None = None
    """The same images uncut, where they are photographs to train on."""

    @classmethod
    def of_arrays(cls, prefix: str, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> ImageSet:
        """A set that is an array: keys are "prefix/00000" and so on, digests are those of the pixels."""
        keys = tuple(f"{prefix}/{number:05d}" for number in range(len(images)))
        digests = tuple(hashlib.sha256(image).hexdigest() for image in np.ascontiguousarray(images))
        return cls(keys, labels, images, digests)

    def __len__(self) -> int:
        return len(self.keys)

    def subset(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> ImageSet:
        """The images that a mask or an index array picks."""
        rows = np.flatnonzero(which) if which.dtype == np.bool_ else which
        whole = self.whole
        return ImageSet(
            tuple(self.keys[i] for i in rows),
            self.labels[rows],
            chosen(self.images, rows),
            tuple(self.digests[i] for i in rows) if self.digests else (),
            Whole(chosen(whole.pixels, rows), whole.aspects[rows]) if whole is not None else None,
        )

    @property
    def stored(self) -> Pixels:
        """The images in the form that is at hand without decoding."""
        return self.whole.pixels if self.whole is not None else self.images

    def per_class(self, classes: int) -> list[int]:
        """How many images each class has."""
        return count_classes(self.labels, classes)


@dataclass(frozen=True)
class Dataset:
    """Images ready to train on, and everything a user should know about them."""

    source: str
    """What was asked for: a path or the name of a named set."""
    classes: tuple[str, ...]
    """Class names; a label is an index into them. They are stored with the model."""
    channels: int
    """1 (grey) or 3 (RGB)."""
    image_size: tuple[int, int]
    """Height and width in pixels."""
    train: ImageSet
    val: ImageSet | None
    test: ImageSet | None
    preprocessing: Preprocessing
    """How an image becomes the network's input; mean and deviation are those of the training images."""
    notes: tuple[str, ...]
    """Sentences the user should read: what was left out, skipped, chosen, split."""
    fingerprint: str
    """SHA-256 over classes, size, keys, labels and content: a resume refuses other data."""
    task: Task = "classes"
    """Whether an image has one class, or any number of labels."""
    findings: tuple[Finding, ...] = ()
    """What a look at all images found that would mislead: pictures in two splits, wrong labels, imbalance."""

    @property
    def kind(self) -> str:
        """ "grey-small", "colour-small" or "photographs": decides how images are varied in training."""
        if max(self.image_size) > SMALL_SIDE:
            return "photographs"
        return "grey-small" if self.channels == 1 else "colour-small"

    @property
    def splits(self) -> dict[str, ImageSet]:
        """The splits that exist, by name."""
        every = {"train": self.train, "val": self.val, "test": self.test}
        return {name: images for name, images in every.items() if images is not None}

    def to_json(self) -> dict[str, Any]:
        """The record that stands in a run's data.json."""
        return {
            "source": self.source,
            "fingerprint": self.fingerprint,
            "classes": list(self.classes),
            "channels": self.channels,
            "image_size": list(self.image_size),
            "kind": self.kind,
            "task": self.task,
            "splits": {
                name: {"images": len(images), "per_class": images.per_class(len(self.classes))}
                for name, images in self.splits.items()
            },
            "notes": list(self.notes),
            "findings": [asdict(finding) for finding in self.findings],
            "preprocessing": self.preprocessing.to_json(),
        }


def count_classes(labels: NDArray[np.int64], classes: int) -> list[int]:
    """How many of N images have each class or label, of labels as in ``ImageSet``."""
    counts = labels.sum(axis=0) if labels.ndim == 2 else np.bincount(labels, minlength=classes)
    return [int(count) for count in counts]


def fingerprint(classes: Sequence[str], preprocessing: Preprocessing, splits: dict[str, ImageSet]) -> str:
    """SHA-256 over everything that decides what a network sees."""
    record = hashlib.sha256(repr((tuple(classes), preprocessing)).encode())
    for name, images in splits.items():
        record.update(f"{name} {len(images)}\n".encode())
        record.update("\n".join(images.keys).encode())
        record.update(np.ascontiguousarray(images.labels, dtype="<i8").tobytes())
        record.update("".join(images.digests).encode())
    return record.hexdigest()


def measured(preprocessing: Preprocessing, images: Pixels) -> Preprocessing:
    """The preprocessing with the mean and deviation of the channels of images (N, H, W, C).

    Of sets over 16 million values only every k-th image is counted: the third digit no longer changes.
    """
    every = images[:: max(1, int(np.prod(images.shape, dtype=object)) // 16_000_000)]
    values = np.arange(256) / 255
    mean, std = [], []
    for channel in range(preprocessing.channels):
        counts = sum(
            np.bincount(every[start : start + 1024, ..., channel].ravel(), minlength=256)
            for start in range(0, len(every), 1024)  # in parts: bincount widens what it counts to 8 bytes
        )
        centre = float(np.average(values, weights=counts))
        mean.append(centre)
        # All images of one shade would divide by zero; one step of a byte is as little as can differ.
        std.append(max(float(np.sqrt(np.average((values - centre) ** 2, weights=counts))), 1 / 255))
    return replace(preprocessing, mean=tuple(mean), std=tuple(std))
