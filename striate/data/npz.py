"""NumPy's .npz as a source: arrays of images and labels under the names that people use.

    images, labels                                     no split
    x_train, y_train, x_test, y_test, x_val, y_val     as Keras keeps its sets
    train_images, train_labels, val_images, ...        as MedMNIST keeps its own
    classes                                            the names, if they are there

Nothing is unpickled, and headers are read before anything is unpacked.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.data.arrays import ArraySet, array_set
from striate.data.listing import SPLIT_OF, readable
from striate.data.memory import memory
from striate.errors import DataError

_WORDS = {"images": {"images", "image", "x", "data"}, "labels": {"labels", "label", "y", "target", "targets"}}


def read_npz(path: Path) -> ArraySet:
    """The images and labels in an .npz file. Raises DataError: damaged, objects, other names or types."""
    arrays = _arrays(path)
    pairs = _pairs(arrays)
    if "train" not in pairs and "all" not in pairs:
        raise DataError(
            f"{path} must hold images and labels (or x_train and y_train), it holds "
            f"{', '.join(map(readable, arrays)) or 'nothing'}: name the arrays so."
        )
    found = {split: (arrays[images], arrays[labels]) for split, (images, labels) in pairs.items()}
    return array_set(str(path), found, arrays.get("classes", arrays.get("class_names")))


def _pairs(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Split -> the names of its images and labels, of the splits that have both."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        words = name.casefold().split("_")
        split = next((SPLIT_OF[word] for word in words if word in SPLIT_OF), "all")
        for what, known in _WORDS.items():
            if known.intersection(words):
                found.setdefault(split, {}).setdefault(what, name)
    return {split: (pair["images"], pair["labels"]) for split, pair in found.items() if len(pair) == 2}


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz, once their headers have shown that memory holds them."""
    try:
        with zipfile.ZipFile(path) as archive:
            needed = sum(_bytes_of(archive, member) for member in archive.infolist())
        limit = memory()
        if limit is not None and needed > limit / 2:
            raise DataError(
                f"{path} unpacks to {needed / 2**30:.1f} GiB, more than half of the {limit / 2**30:.1f} GiB "
                "of memory there are: save the images as files."
            )
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except DataError:
        raise
    except Exception as error:  # NumPy and zipfile raise almost every type on broken content
        raise DataError(f"{path} is no sound .npz file ({error}): write it with numpy.savez.") from None


def _bytes_of(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """What an array takes by its own header, without unpacking it."""
    with archive.open(member) as file:
        old = np.lib.format.read_magic(file) == (1, 0)
        read = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    if dtype.hasobject:
        raise DataError(
            f"{readable(member.filename)} in {archive.filename} holds Python objects, which are never "
            "unpickled: save plain numbers or text."
        )
    return int(np.prod(shape, dtype=object)) * dtype.itemsize
