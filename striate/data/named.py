"""Data sets that have a name: fashion-mini, which is part of the package, and fashion-mnist.

Fashion-MNIST: 28x28 grey pictures of clothes in ten classes, 60,000 to train and 10,000 to test on;
Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747. fashion-mini is a balanced part of it, 10,000 and 2,000
(tools/make_fashion_mini.py). fashion-mnist is looked for where Debian's package dataset-fashion-mnist
puts it, then in the cache, and then downloaded into the cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from striate.data.cache import cache_folder
from striate.data.download import fetch
from striate.data.idx import read_idx, unzip
from striate.errors import DataError

DEFAULT_SOURCE = "fashion-mini"
NAMED = ("fashion-mini", "fashion-mnist")
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
EMBEDDED = Path(__file__).parent / "fashion_mini"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
MIRRORS = (
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)

# Of the unzipped content: the same images are zipped differently by different distributors.
SHA256 = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}

Arrays = dict[str, tuple[NDArray[np.uint8], NDArray[np.int64]]]


def read_named(name: str, on_progress: Callable[[int, int], None] | None = None) -> Arrays:
    """The splits "train" and "test" of a named set: images uint8 (N, 28, 28, 1) and labels int64 (N,).

    Raises DataError when fashion-mnist is not on this machine and cannot be downloaded.
    """
    return _splits(_embedded() if name == "fashion-mini" else _full(on_progress))


def named_here(name: str) -> Arrays | None:
    """The same where nothing has to be downloaded; None where something has."""
    if name == "fashion-mini":
        return _splits(_embedded())
    found = {file: _here(file, digest) for file, digest in SHA256.items()}
    there = {file: content for file, content in found.items() if content is not None}
    return _splits(there) if len(there) == len(found) else None


def _splits(contents: Mapping[str, bytes]) -> Arrays:
    splits = {}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        images, labels = (
            read_idx(contents[file], file)
            for file in (f"{prefix}-images-idx3-ubyte.gz", f"{prefix}-labels-idx1-ubyte.gz")
        )
        splits[split] = (images[..., np.newaxis], labels.astype(np.int64))
    return splits


def _embedded() -> dict[str, bytes]:
    return {file: unzip((EMBEDDED / file).read_bytes(), file) for file in SHA256}


def _full(on_progress: Callable[[int, int], None] | None) -> dict[str, bytes]:
    return {file: _find(file, digest, on_progress) for file, digest in SHA256.items()}


def _find(file: str, digest: str, on_progress: Callable[[int, int], None] | None) -> bytes:
    """The unzipped content of one file, from the first place that has it whole."""
    content = _here(file, digest)
    if content is not None:
        return content
    cached = _cached(file)
    fetch([mirror + file for mirror in MIRRORS], cached, lambda c: _whole(c, digest) is not None, on_progress)
    return unzip(cached.read_bytes(), str(cached))


def _here(file: str, digest: str) -> bytes | None:
    """The same, where there is such a place on this machine."""
    for place in (DEBIAN / file, _cached(file)):
        content = _whole(place.read_bytes(), digest) if place.exists() else None
        if content is not None:
            return content
    return None


def _cached(file: str) -> Path:
    return cache_folder() / "fashion-mnist" / file


def _whole(zipped: bytes, digest: str) -> bytes | None:
    """The unzipped content if it is the right one."""
    try:
        content = unzip(zipped, "")
    except DataError:
        return None
    return content if hashlib.sha256(content).hexdigest() == digest else None
