"""How weights lie in memory: as they are, or as bf16, two in a word. Sums are always in float32.

bf16 is the upper half of a float32: 8 significant bits. Rounded to the nearest, ties to even, a weight is off
by 2^-8 of itself at most, and a sum whose inputs know nothing of the rounding by ``EXPECTED`` of its size.
Memory delivers twice as many weights in the same time; a shift or a mask makes float32 of them in registers.

A word holds the weights of one output for two inputs that follow each other, the first in its lower half.
That is the order in which AVX512_BF16's dot product takes its operands (see ``dots``), as VNNI's takes four
int8. Where a kernel uses it, the map is rounded, too, when its values are copied: a result is off by
``EXPECTED`` for the weights and as much for the map, ``EXPECTED_OF_DOTS`` together, and takes half as many
instructions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from striate.engine.emit import I32, Emitter, Vector
from striate.engine.index import Memory, Number
from striate.engine.kernels.dots import dot

EXPECTED = 1.6e-3  # relative error (root mean square) of normally distributed numbers, rounded to bf16
EXPECTED_OF_DOTS = 2**0.5 * EXPECTED  # both factors are rounded
ROWS = 64  # of a matrix that is rounded at a time: what a cache holds
UPPER = 0xFFFF0000


@dataclass(frozen=True)
class Storage:
    """``inputs``: whose weights for one output share a word of 32 bits. ``dots``: the map is in words, too,
    which are multiplied as they are.
    """

    name: str
    inputs: int
    dots: bool = False

    def deep(self, channels: int) -> int:
        """Rows of weights of so many inputs, words or numbers."""
        return -(-channels // self.inputs)

    def add(self, to: Emitter, a: Vector, b: Vector, c: Vector) -> Vector:
        """c + a * b, where a comes from the map."""
        return dot(to, a, b, c) if self.dots else to.multiply_add(a, b, c)

    def words(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        """Weights [input][output] as [word][output]; words that hold two look like float32, and are none."""
        if self.inputs == 1:
            return matrix
        inputs, outputs = matrix.shape
        found = np.empty((inputs // 2, outputs), np.uint32)
        for first in range(0, inputs, ROWS):
            halves = rounded(matrix[first : first + ROWS])
            found[first // 2 : first // 2 + len(halves) // 2] = halves[0::2] | halves[1::2] << np.uint32(16)
        return found.view(np.float32)

    def rows(self, to: Emitter, weights: Memory, at: Number, vectors: int) -> Iterator[list[Vector]]:
        """For each input of the words that begin at ``at``, its weights: so many vectors of outputs."""
        places = [to.plus(at, q * to.lanes) for q in range(vectors)]
        if self.inputs == 1:
            yield [to.get(weights, place) for place in places]
            return
        yield [_as_float(to, to.shl(_word(to, weights, place), _all(to, 16))) for place in places]
        yield [_as_float(to, to.and_(_word(to, weights, place), _all(to, UPPER))) for place in places]


FP32, BF16, DOTS = Storage("fp32", 1), Storage("bf16", 2), Storage("bf16 dots", 2, dots=True)


def rounded(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """The nearest bf16, ties to even, as the number that its 16 bits are; what is no number stays none."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    halves = (bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(values), bits >> np.uint32(16) | np.uint32(0x40), halves)


def nearest(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The nearest numbers that bf16 has, as float32."""
    return (rounded(values) << np.uint32(16)).view(np.float32)


def _word(to: Emitter, memory: Memory, place: Number) -> Any:
    return to.load(to.address(memory, place, to.lanes), typ=ir.VectorType(I32, to.lanes), align=4)


def _all(to: Emitter, number: int) -> Any:
    return ir.Constant(ir.VectorType(I32, to.lanes), [ir.Constant(I32, number)] * to.lanes)


def _as_float(to: Emitter, words: Any) -> Vector:
    return to.bitcast(words, to.vector)
