"""Strassen's product of two matrices, cut in halves both ways: seven products of quarters for eight.

Winograd's form, of 15 sums (Strassen 1969, doi:10.1007/BF02165411; Higham, "Accuracy and Stability of
Numerical Algorithms", 23.1). Each of the seven may be made in the same way, and so on: after ``levels`` of it
there are 7 ** levels products, numbered so that those of one outer product follow each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of each product: the sums that it begins with, and where its own go. X, Y, Z wait; a number is a quarter.
# 1 is A11 B11, 2 A12 B21, 3 S2 T2, 4 S3 T3, 5 S1 T1, 6 A22 T4, 7 S4 B22; 5 is added to Z and, with Y, is C22.
STEPS, WAITING = (("", "X"), ("X", "11"), ("X", "Z"), ("Z", "Y"), ("", "22"), ("Y", "21"), ("Z", "12")), "XYZ"
BOTH = "22"  # the end of the product that Z waits for too
Step = tuple[str, str]


def route(number: int, levels: int) -> list[Step]:
    """The steps of a product, that of the innermost level first, up to the one whose sums wait."""
    found: list[Step] = []
    while len(found) < levels and (not found or found[-1][1] not in WAITING):
        number, step = divmod(number, len(STEPS))
        found.append(STEPS[step])
    return found


def quarter(steps: list[Step]) -> tuple[int, int]:
    """Which part of the rows and of the columns these steps, innermost first, make."""
    row = sum((int(end[0]) - 1) << level for level, (_, end) in enumerate(steps))
    return row, sum((int(end[1]) - 1) << level for level, (_, end) in enumerate(steps))


def of_map(parts: list[list[Any]], add: Callable[..., Any], subtract: Callable[..., Any]) -> list[Any]:
    """What the products take of A, cut into ``parts`` (rows of columns), as many each way."""
    if len(parts) == 1:
        return parts[0]
    a11, a12, a21, a22 = _quarters(parts)
    s1 = _each(add, a21, a22)
    s2 = _each(subtract, s1, a11)
    s3, s4 = _each(subtract, a11, a21), _each(subtract, a12, s2)
    return [one for some in (a11, a12, s2, s3, s1, a22, s4) for one in of_map(some, add, subtract)]


def of_weights(b: NDArray[np.float64], levels: int) -> list[NDArray[np.float64]]:
    """What the products take of B, both of whose sides are multiples of 2 ** levels."""
    if not levels:
        return [b]
    deep, wide = b.shape[0] // 2, b.shape[1] // 2
    b11, b12, b21, b22 = b[:deep, :wide], b[:deep, wide:], b[deep:, :wide], b[deep:, wide:]
    t1 = b12 - b11
    t2 = b22 - t1
    seven = b11, b21, t2, b22 - b12, t1, b21 - t2, b22
    return [one for some in seven for one in of_weights(some, levels - 1)]


def _quarters(parts: list[list[Any]]) -> list[list[list[Any]]]:
    half = len(parts) // 2
    return [
        [row[left : left + half] for row in parts[top : top + half]]
        for top in (0, half)
        for left in (0, half)
    ]


def _each(of: Callable[..., Any], one: list[list[Any]], other: list[list[Any]]) -> list[list[Any]]:
    return [[of(a, b) for a, b in zip(*rows, strict=True)] for rows in zip(one, other, strict=True)]
