"""A small map as one tile: a 3x3 convolution that keeps the map's size, with fewer products than its tiles.

Along an axis of m places with a border of zeros, y_i = g0 x_{i-1} + g1 x_i + g2 x_{i+1}. F(m, 3) would take
m + 2 products; two of its inputs are always zero, which saves at least one: m = 3 takes 4, and 7 takes 10,
where two tiles of F(4, 3) take 12. In two dimensions that is 16 multiply-adds for 36, and 100 for 144. All
three sums of a training come from one form, y = A^T [(G g) * (B x)]: the gradient of the input is such a
convolution, and the gradient of the weights is G^T [(B x) * (A dy)].

Products stand in pairs: B's second row is the first with alternating signs (begun with a minus), G's row and
A's column likewise, so that ``rows_times`` and ``columns_times`` compute sums of even and odd places once.

m = 3: of x there are s = x_0 + x_2, d = x_0 - x_2 and x_1, of y the same. The pairs of products
(g1 +- (g0 + g2) / p)(s +- p x_1) and (g1 +- (g2 - g0) / q)(d +- q x_1) give all of it if p^2 - q^2 = 2.
m = 7: found by least squares (Levenberg and Marquardt) from random beginnings, on the equations
sum_r G_ra B_rx A_ry = (x - y + 1 = a), with a penalty for large numbers; all 90 beginnings led to the same
size of numbers. Rounding is less than with F(4, 3): see docs/log.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from striate.engine.kernels.toom_cook import Matrix

# of every pair of products: g0 and g2 (g1 is 1); B's row but for its first number, which is 1; A's column
PAIRS = {
    3: ("20/33 20/33  33/20 1  1/4 33/80 1/4", "-20/17 20/17  17/20 -1  1/4 -17/80 -1/4"),
    7: (
        """
        0.5365031594873081 -1.950715981505572
        -3.278154099219003 3.636029024200971 -1.86393786421921 -1.000024197239052 3.278158002499554
        -3.636010346965354
        0.04229356508610874 -0.03813103301892859 0.01163208039766329 0.02168105989512622
        -0.04229371329580636 0.03813098761671262 -0.01163186798006255
        """,
        """
        1.950715040568215 -0.536500737811172
        0.9015812548194969 0.2750232023459658 -0.5126321092606537 -0.9999948632977799 -0.9015823283005027
        -0.2750298571985213
        0.04229420770218754 0.1386459591206775 0.1537799828919656 0.07883285250875208
        -0.04229343534873503 -0.1386457940394853 -0.153780521783443
        """,
        """
        -1.386052096645276 1.386050494580223
        0.7214795135620946 -1.000001155829117 -0.7214752707493398 1.000002311679434 0.721471027938042
        -1.000003467550953
        0.1250000000008839 -0.09018336270848042 -0.1249998555166514 0.09018409612558918
        0.1249997110358627 -0.0901848295435453 -0.1249995665585178
        """,
        """
        0.3558700476919153 0.3558689311592333
        0.8415261430024823 -0.401055829548231 -1.126970530475031 -0.4010530249993246 0.8415227808877936
        1.000000376985179
        0.2714270255213314 0.2284117069339363 -0.108856753939087 -0.3058901083267703 -0.1088571594005899
        0.2284130313591672 0.271426860563529
        """,
        """
        0.9051770713431323 0.9051764588848361
        2.543797089715346 3.60517722425472 3.982840485489569 3.605172108971173 2.543803308878193
        1.00000600877307
        0.01898520168948823 0.0482943495784869 0.0684445461661095 0.07561459178546941 0.06844459700926858
        0.04829421044776789 0.01898509575849433
        """,
    ),
}


@dataclass(frozen=True)
class Form:
    """``outputs`` m; at, g, bt: A^T (m, n), G (n, 3), B (n, m) with n products."""

    outputs: int
    at: Matrix
    g: Matrix
    bt: Matrix

    @property
    def size(self) -> int:
        """Products along an axis."""
        return len(self.g)


@cache
def whole_map(outputs: int) -> Form:
    """For maps of ``outputs`` places each way, one of PAIRS."""
    g, bt, columns = list[list[Fraction]](), list[list[Fraction]](), list[list[Fraction]]()
    for numbers in PAIRS[outputs]:
        before, after, *others = map(Fraction, numbers.split())
        taps = [before, Fraction(1), after]
        seen, made = [Fraction(1), *others[: outputs - 1]], others[outputs - 1 :]
        g += [taps, _alternating(taps)]
        bt += [seen, [-value for value in _alternating(seen)]]
        columns += [made, _alternating(made)]
    return Form(outputs, tuple(zip(*columns, strict=True)), _frozen(g), _frozen(bt))


def _alternating(values: list[Fraction]) -> list[Fraction]:
    return [-value if i % 2 else value for i, value in enumerate(values)]


def _frozen(rows: list[list[Fraction]]) -> Matrix:
    return tuple(tuple(row) for row in rows)
