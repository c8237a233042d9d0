"""The IDX format of MNIST and its kin: one array of bytes, gzipped or plain.

A header of big-endian numbers (two zero bytes, 8 for "unsigned byte", the number of axes, the length of
each axis), then the values, the last axis quickest.
"""

from __future__ import annotations

import gzip
import zlib

import numpy as np
from numpy.typing import NDArray

from striate.errors import DataError

_BYTES = 8  # the type code of unsigned bytes


def read_idx(content: bytes, name: str) -> NDArray[np.uint8]:
    """The array in an uncompressed IDX file. Raises DataError, which names the file as ``name``."""
    axes = content[3] if len(content) > 4 and content[:3] == bytes([0, 0, _BYTES]) else 0
    start = 4 + 4 * axes
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist())
    if axes == 0 or len(content) != start + int(np.prod(shape)):
        raise DataError(f"{name} is not a whole IDX file of bytes: remove it, so that it is fetched again.")
    return np.frombuffer(bytearray(content[start:]), np.uint8).reshape(shape)


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
