"""The error function, which NumPy lacks: W. J. Cody, "Rational Chebyshev approximations for the error
function", Mathematics of Computation 23 (1969), 631-637; coefficients as in Netlib's CALERF.

Three ratios of polynomials, one for small, one for middle, one for large |x|.
"""

from __future__ import annotations

import numpy as np

from striate.reference.meaning import Array

# highest power first
_SMALL = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2,
     3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)  # fmt: skip
_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
     3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip


def erf(x: Array) -> Array:
    """2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x, within 4e-16 in float64; keeps the dtype.

    Cody's third ratio, for erfc beyond 4, is not needed for that: there the middle one times e^(-x^2) is
    off by less than 1e-16, because erfc(4) is 1.5e-8 only.
    """
    magnitude = np.abs(x)
    square = magnitude * magnitude
    small = x * _ratio(_SMALL, np.minimum(square, 0.25))
    large = 1 - np.exp(-square) * _ratio(_MIDDLE, np.minimum(magnitude, 6))
    return np.where(magnitude <= 0.46875, small, np.copysign(large, x))


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], t: Array) -> Array:
    above, below = coefficients
    return _polynomial(above, t) / _polynomial(below, t)


def _polynomial(coefficients: tuple[float, ...], t: Array) -> Array:
    """Horner's rule, in place."""
    value = np.full_like(t, coefficients[0])
    for coefficient in coefficients[1:]:
        value *= t
        value += coefficient
    return value
