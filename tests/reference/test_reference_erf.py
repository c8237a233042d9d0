"""Cody's approximation against the C library's."""

import math

import numpy as np
import pytest

from striate.reference.erf import erf


def points() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate(
        [np.linspace(-8, 8, 20_001), rng.normal(size=2000) * 1e-3, [0.46875, -0.46875, 0, 40, -40, 1e-300]]
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 4e-16), (np.float32, 2e-7)])
def test_erf_is_within_its_stated_error(dtype: type, tolerance: float) -> None:
    x = points().astype(dtype)
    exact = np.array([math.erf(value) for value in x.astype(float)])
    assert erf(x).dtype == dtype
    assert np.abs(erf(x) - exact).max() <= tolerance


def test_erf_at_the_ends() -> None:
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(erf(np.array([np.inf, -np.inf, np.nan])), [1, -1, np.nan])


def test_erf_keeps_its_relative_precision_near_zero() -> None:
    x = np.array([1e-300, 1e-12, -1e-5])
    np.testing.assert_allclose(erf(x), [math.erf(value) for value in x], rtol=1e-15)
