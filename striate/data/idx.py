"""The IDX format of MNIST and its kin: one array of bytes, gzipped or plain; a source is a pair of them.

A header of big-endian numbers (two zero bytes, 8 for "unsigned byte", the number of axes, the length of
each axis), then the values, the last axis quickest.

    train-images-idx3-ubyte[.gz] and train-labels-idx1-ubyte[.gz]; t10k-, test- or val- for other splits
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from striate.data.arrays import ArraySet, array_set
from striate.data.listing import SPLIT_OF
from striate.data.memory import memory
from striate.errors import DataError

_BYTES = 8  # the type code of unsigned bytes
_NAME = re.compile(r"(?P<set>.*?)[-._]?(?P<what>images|labels)[-.]idx[134][-.]ubyte(\.gz)?")
_SPLITS = {**SPLIT_OF, "t10k": "test"}


def read_idx(content: bytes, name: str) -> NDArray[np.uint8]:
    """The array in an uncompressed IDX file. Raises DataError, which names the file as ``name``."""
    shape, start = _shape(content[:256])
    if not shape or len(content) != start + int(np.prod(shape, dtype=object)):
        raise DataError(f"{name} is not a whole IDX file of bytes: remove it, or fetch it again.")
    return np.frombuffer(bytearray(content), np.uint8, offset=start).reshape(shape)


def read_idx_file(path: Path) -> NDArray[np.uint8]:
    """The array in an IDX file, gzipped or not; no more is unpacked than the header announces.

    Raises DataError: not IDX, of another type than bytes, cut short, longer than it says, too large.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(4)
            shape, start = _shape(head + file.read(4 * head[3]) if len(head) == 4 else head)
            size, limit = int(np.prod(shape, dtype=object)), memory()
            if limit is not None and size > limit / 2:
                raise DataError(f"{path} unpacks to {size / 2**30:.1f} GiB, too much for memory: use files.")
            content = file.read(size + 1) if shape else b""
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): copy it again.") from None
    if not shape or len(content) != size:
        raise DataError(
            f"{path} must be a whole IDX file of bytes (it begins with {head.hex() or 'nothing'}, and "
            f"{len(content):,} bytes follow the header's {start}): copy it again, or convert it."
        )
    return np.frombuffer(bytearray(content), np.uint8).reshape(shape)


def write_idx(array: NDArray[np.uint8]) -> bytes:
    """The array as an uncompressed IDX file."""
    header = bytes([0, 0, _BYTES, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + np.ascontiguousarray(array).tobytes()


def unzip(content: bytes, name: str) -> bytes:
    """What a gzip file holds. Raises DataError when it is broken."""
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name} is damaged ({error}): remove it, so that it is fetched again.") from None


def is_idx(path: Path) -> bool:
    """Whether a file is half of a pair, by its name."""
    return _NAME.fullmatch(path.name) is not None


def idx_pairs(place: Path) -> dict[str, tuple[Path, Path]]:
    """Split -> (images, labels) of the pairs that lie directly in a folder, or that one file belongs to.

    {} where there are none. Raises DataError for a file without its other half.
    """
    folder = place if place.is_dir() else place.parent
    wanted = _NAME.fullmatch(place.name) if place != folder else None
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        if match is None or (wanted is not None and match["set"] != wanted["set"]):
            continue
        pair = found.setdefault("all" if wanted is not None else _split_of(match["set"]), {})
        if pair.setdefault(match["what"], path) != path:
            raise DataError(
                f"{folder} has both {pair[match['what']].name} and {path.name}: keep one of them."
            )
    for pair in found.values():
        if len(pair) < 2:
            (there,) = pair.values()
            lacks = "labels" if "images" in pair else "images"
            raise DataError(f"{there} lacks the IDX file of its {lacks}: put it beside it.")
    return {split: (pair["images"], pair["labels"]) for split, pair in found.items()}


def read_idx_pairs(pairs: Mapping[str, tuple[Path, Path]], name: str) -> ArraySet:
    """The arrays of IDX pairs. Raises DataError: damaged, lengths that differ, no train."""
    if "train" not in pairs and "all" not in pairs:
        raise DataError(f"{name} has IDX files of {' and '.join(pairs)} but none of train: add them.")
    return array_set(name, {split: (read_idx_file(x), read_idx_file(y)) for split, (x, y) in pairs.items()})


def _shape(header: bytes) -> tuple[tuple[int, ...], int]:
    """The axes that a header announces, and its length in bytes; no axes where it is none of bytes."""
    axes = header[3] if len(header) > 4 and header[:3] == bytes([0, 0, _BYTES]) else 0
    start = 4 + 4 * axes
    if len(header) < start:
        return (), start
    return tuple(np.frombuffer(header[4:start], ">u4").tolist()), start


def _split_of(name: str) -> str:
    return next((_SPLITS[word] for word in re.split(r"[-._]", name.casefold()) if word in _SPLITS), "all")
