"""The matrices of Winograd's minimal filtering F(m, r): m outputs of an r-tap filter in m + r - 1 products.

y = A^T [(G g) * (B^T d)]: polynomials d and g are evaluated at m + r - 2 points and at infinity,
multiplied there, and the product's coefficients interpolated; transposing that gives the filter. Toom 1963,
Cook 1966, Winograd 1980; for convolutional networks: Lavin and Gray 2015, arXiv 1509.09308. All exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from striate.engine.emit import Emitter, Vector

Matrix = tuple[tuple[Fraction, ...], ...]
# small numbers: the error grows with their size (Barabasz et al. 2018, arXiv 1803.10986)
POINTS = (0, 1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2))
PHASES = ((0, 1), (0, 0), (1, 0), (1, 1))  # of rows and columns; stride 1: only even and even


@dataclass(frozen=True)
class Filtering:
    """``outputs`` m, ``taps`` r; at, g, bt: A^T (m, n), G (n, r), B^T (n, n) with n = m + r - 1."""

    outputs: int
    taps: int
    at: Matrix
    g: Matrix
    bt: Matrix

    @property
    def size(self) -> int:
        return self.outputs + self.taps - 1


@cache
def filtering(outputs: int, taps: int, whole: bool = False) -> Filtering:
    """``whole``: G is of whole numbers, and the factor of each point stands in B^T: cheaper for the taps."""
    points = [Fraction(point) for point in POINTS[: outputs + taps - 2]]
    last = outputs + taps - 2  # the row of the point at infinity

    def product(roots: list[Fraction]) -> list[Fraction]:
        """Coefficients of the polynomial with these roots, lowest first."""
        poly = [Fraction(1)]
        for root in roots:
            poly = [a - root * b for a, b in zip([Fraction(0), *poly], [*poly, Fraction(0)], strict=True)]
        return poly

    at = [[*(point**i for point in points), Fraction(i == outputs - 1)] for i in range(outputs)]
    bt = [[*product(points[:j] + points[j + 1 :]), Fraction(0)] for j in range(last)]
    bt.append(product(points))
    g = []
    for j, point in enumerate(points):
        scale = Fraction(1)
        for other in points[:j] + points[j + 1 :]:
            scale *= point - other
        g.append([point**k / (1 if whole else scale) for k in range(taps)])
        bt[j] = [entry / (scale if whole else 1) for entry in bt[j]]
    g.append([Fraction(k == taps - 1) for k in range(taps)])
    return Filtering(outputs, taps, _frozen(at), _frozen(g), _frozen(bt))


@cache
def part(whole: Filtering, outputs: int) -> tuple[Filtering, tuple[int, ...]]:
    """Fewer outputs by some of the products, with the same G; and which products these are."""
    own = filtering(outputs, whole.taps)
    positions = *range(own.size - 1), whole.size - 1
    g = tuple(whole.g[position] for position in positions)
    factors = [mine[0] / shared[0] if shared[0] else 1 for mine, shared in zip(own.g, g, strict=True)]
    bt = [[entry * factor for entry in row] for row, factor in zip(own.bt, factors, strict=True)]
    return Filtering(outputs, whole.taps, own.at, g, _frozen(bt)), positions


def _frozen(rows: list[list[Fraction]]) -> Matrix:
    return tuple(tuple(row) for row in rows)


def as_array(matrix: Matrix) -> np.ndarray:
    return np.array([[float(entry) for entry in row] for row in matrix])


def transformed_taps(
    weight: NDArray[np.float64], forms: tuple[Filtering, Filtering] | None, stride: int
) -> list[NDArray[np.float64]]:
    """U = G g G^T of weights (K, C, rows, columns): for each phase [position][output and input].

    ``forms``: down and across; None: the taps as they are.
    """
    taps = weight.shape[-1]
    flat = weight.reshape(*weight.shape[:2], -1).transpose(2, 0, 1)
    flat = flat.reshape(len(flat), -1)
    if forms is None:
        return [flat]
    down, across = (as_array(form.g) for form in forms)
    if stride == 1:
        return [np.kron(down, across) @ flat]
    even, odd = np.zeros((2, len(down), taps))
    even[:, ::2], odd[:-1, 1::2] = down, down[:-1, :-1]
    axes = even, odd
    return [np.kron(axes[y], axes[x]) @ flat for y, x in PHASES]


def combine(to: Emitter, row: list[Fraction], vectors: list[Vector]) -> Vector:
    """sum of row[j] * vectors[j]: zeros are skipped, ones cost an addition, the rest a multiply-add."""
    terms = sorted(((c, x) for c, x in zip(row, vectors, strict=True) if c), key=lambda t: abs(t[0]) != 1)
    total: Vector = None
    for c, x in terms:
        if total is None:
            total = x if c == 1 else to.fmul(x, to.constant(float(c)))
        elif abs(c) == 1:
            total = to.fadd(total, x) if c == 1 else to.fsub(total, x)
        else:
            total = to.multiply_add(x, to.constant(float(c)), total)
    return to.constant(0) if total is None else total


def rows_times(to: Emitter, matrix: Matrix, vectors: list[Vector]) -> list[Vector]:
    """matrix @ vectors. Rows of points p and -p are E + O and E - O: E and O are computed once."""
    results: list[Vector] = []
    while len(results) < len(matrix):
        i = len(results)
        pair = matrix[i : i + 2]
        if len(pair) == 2:
            even = [(a + b) / 2 for a, b in zip(*pair, strict=True)]
            odd = [(a - b) / 2 for a, b in zip(*pair, strict=True)]
            if any(even) and any(odd) and not any(e and o for e, o in zip(even, odd, strict=True)):
                e, o = combine(to, even, vectors), combine(to, odd, vectors)
                results += [to.fadd(e, o), to.fsub(e, o)]
                continue
        results.append(combine(to, list(matrix[i]), vectors))
    return results


def columns_times(to: Emitter, matrix: Matrix, vectors: list[Vector]) -> list[Vector]:
    """matrix @ vectors. Of columns of points p and -p, even rows use the sum, odd the difference."""
    rows: list[list[Fraction]] = [[] for _ in matrix]
    chosen: list[list[Vector]] = [[] for _ in matrix]
    j = 0
    while j < len(vectors):
        paired = j + 1 < len(vectors) and all(
            row[j + 1] == (-row[j] if i % 2 else row[j]) for i, row in enumerate(matrix)
        )
        both = (
            (to.fadd(vectors[j], vectors[j + 1]), to.fsub(vectors[j], vectors[j + 1]))
            if paired
            else (vectors[j],) * 2
        )
        for i, row in enumerate(matrix):
            rows[i].append(row[j])
            chosen[i].append(both[i % 2])
        j += 2 if paired else 1
    return [combine(to, row, some) for row, some in zip(rows, chosen, strict=True)]
