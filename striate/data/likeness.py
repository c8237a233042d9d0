"""Which pictures are nearly the same: a perceptual hash of 256 bits, and the pairs that differ in few bits.

The hash is the DCT hash of Zauner 2010, "Implementation and benchmarking of perceptual image hash functions"
(https://www.phash.org/docs/pubs/thesis_zauner.pdf, section 3.2.1), with 16 x 16 instead of 8 x 8 low
frequencies of a grey picture of 32 x 32: each bit says whether a coefficient lies above the median. How many
bits storing, scaling and lighting change, and how many lie between different pictures: docs/log.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32  # of the grey picture that is hashed
BYTES = 32  # of a hash
ALIKE = 12  # bits in which two pictures may differ to be taken for the same
_LOW = 16
_LUMA = (0.299, 0.587, 0.114)  # of ITU-R BT.601, as Pillow's grey
_BANDS = 16  # bands of 16 bits: two hashes that differ in 12 bits are equal in at least 4 of them
_MOST_IN_A_BUCKET = 256  # a band that more pictures share says nothing; pictures that are alike share others
_PAIRS_AT_ONCE = 1_000_000


def hashes_of(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The hash of each of N pictures (N, H, W, C), 0 to 255: uint8 (N, 32)."""
    found = [_hashes(_small(pictures[k : k + 4096])) for k in range(0, len(pictures), 4096)]
    return np.concatenate(found) if found else np.zeros((0, BYTES), np.uint8)


def hash_of(picture: Image.Image) -> bytes:
    """The hash of one picture: 32 bytes. Pillow makes it small first, by the same means of areas."""
    small = picture.resize((SIDE, SIDE), Image.Resampling.BOX).convert("L")
    return bytes(_hashes(np.asarray(small, dtype=np.float32)[np.newaxis])[0])


def hashes_of_frames(pixels: NDArray[np.uint8]) -> list[bytes]:
    """``hash_of`` for pictures (N, H, W, 1 or 3), sides multiples of 32, in a quarter of the time."""
    n, height, width, channels = pixels.shape
    tall, wide = height // SIDE, width // SIDE
    whole = np.uint16 if tall <= 257 else np.uint32  # 257 bytes of 255 are the most that 16 bits hold
    rows = pixels.reshape(n * SIDE, tall, width * channels).sum(axis=1, dtype=whole)
    grey = rows.reshape(-1, wide * channels).astype(np.float32) @ _weights(tall, wide, channels)
    return [one.tobytes() for one in _hashes(grey.reshape(n, SIDE, SIDE))]


@cache
def _weights(tall: int, wide: int, channels: int) -> NDArray[np.float32]:
    """What each value of a row of an area counts in its mean grey: (wide * channels,)."""
    luma = np.array(_LUMA if channels == 3 else (1,), np.float32) / (tall * wide)
    return np.tile(luma, wide)


def alike(
    first: NDArray[np.uint8], second: NDArray[np.uint8], most: int = ALIKE
) -> Iterator[tuple[int, int, int]]:
    """(place in ``first``, place in ``second``, bits that differ) of hashes (N, 32) that differ in few bits.

    Candidates are hashes with an equal band (locality-sensitive hashing, Indyk and Motwani 1998). A picture
    of one shade has no likeness and is in no pair.
    """
    seen: set[tuple[int, int]] = set()
    for band in range(_BANDS):
        for rows, columns in _candidates(_band(first, band), _band(second, band)):
            differ = np.bitwise_count(first[rows] ^ second[columns]).sum(axis=1, dtype=np.int64)
            for place in np.flatnonzero(differ <= most).tolist():
                pair = int(rows[place]), int(columns[place])
                if pair not in seen and first[pair[0]].any():
                    seen.add(pair)
                    yield (*pair, int(differ[place]))


def _small(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey (N, 32, 32); every value is the mean of its area."""
    grey = pictures.astype(np.float32).mean(axis=3)
    rows, columns = _areas(grey.shape[1]), _areas(grey.shape[2])
    return np.asarray(rows @ (grey @ columns.T))


def _areas(length: int) -> NDArray[np.float32]:
    """(32, length): which share of each pixel lies in each of 32 equal parts."""
    edges = np.arange(SIDE + 1) * length / SIDE
    pixel = np.arange(length)
    inside = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return np.asarray(np.maximum(inside, 0) * SIDE / length, dtype=np.float32)


def _cosines() -> NDArray[np.float32]:
    """The first 16 rows of the DCT-II of 32 values, without its scale."""
    frequency, place = np.arange(_LOW)[:, None], np.arange(SIDE)
    return np.asarray(np.cos(np.pi * frequency * (2 * place + 1) / (2 * SIDE)), dtype=np.float32)


_COSINES = _cosines()
_FLAT = SIDE * SIDE / 4  # a wave of one shade; where all are fainter, signs are noise


def _hashes(grey: NDArray[np.float32]) -> NDArray[np.uint8]:
    waves = (_COSINES @ grey @ _COSINES.T).reshape(len(grey), -1)
    waves[:, 0] = 0  # the mean: brightness is not likeness
    middle = _LOW * _LOW // 2
    ordered = np.partition(waves, (middle - 1, middle), axis=1)
    median = ordered[:, middle - 1 : middle + 1].mean(axis=1, keepdims=True)
    above = waves > median  # np.median is three times as slow for a single picture
    return np.packbits(above & (np.abs(waves).max(axis=1, keepdims=True) > _FLAT), axis=1)


def _band(hashes: NDArray[np.uint8], number: int) -> NDArray[np.uint16]:
    return np.ascontiguousarray(hashes[:, 2 * number : 2 * number + 2]).view(np.uint16)[:, 0]


def _candidates(
    first: NDArray[np.uint16], second: NDArray[np.uint16]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Places in ``first`` and ``second`` with equal values, in pieces."""
    order = np.argsort(first, kind="stable")
    ordered = first[order]
    begin = np.searchsorted(ordered, second, "left")
    count = np.searchsorted(ordered, second, "right") - begin
    columns = np.flatnonzero((count > 0) & (count <= _MOST_IN_A_BUCKET))
    step = max(1, _PAIRS_AT_ONCE // _MOST_IN_A_BUCKET)
    for start in range(0, len(columns), step):
        some = columns[start : start + step]
        times = count[some]
        within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
        yield order[np.repeat(begin[some], times) + within], np.repeat(some, times)
