"""Random numbers by construction: a draw is a function of (seed, epoch, index, stream), nothing else.

There is no generator with a state, so a run that resumes at any step, and a run on many processes, draws
what an uninterrupted run on one draws. The mixing is that of splitmix64: Steele, Lea and Flood 2014,
"Fast splittable pseudorandom number generators", doi:10.1145/2660193.2660195.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio, odd


def hashed(seed: int, epoch: int, index: NDArray[np.int64], stream: int) -> NDArray[np.uint64]:
    """64 random bits for each index; a stream is one use of randomness (order, flip, ...)."""
    with np.errstate(over="ignore"):  # wrapping around is the arithmetic meant here
        key = np.zeros(1, np.uint64)
        for number in (seed, epoch, stream):
            key = _mix(key + np.uint64(number % 2**64))
        return _mix(key + index.astype(np.uint64))


def uniform(seed: int, epoch: int, index: NDArray[np.int64], stream: int) -> NDArray[np.float64]:
    """A number in [0, 1) for each index, with 53 random bits."""
    bits = hashed(seed, epoch, index, stream) >> np.uint64(11)
    return bits.astype(np.float64) * 2.0**-53


def order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The order in which ``count`` samples are seen in an epoch: a permutation, int64 (count,)."""
    return np.argsort(hashed(seed, epoch, np.arange(count), stream=0), kind="stable")


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state + np.uint64(1)) * _GOLDEN
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
