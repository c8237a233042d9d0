"""Translation: the textbook says that shared weights make a network invariant. What is exactly so is less.

A convolution is *equivariant*: a picture that moves by t moves the answer by t, where neither padding nor a
stride interferes. Invariant is only what is averaged over all places afterwards. A dense layer is neither.
"""

import numpy as np
import pytest

from striate import ops
from striate.reference import forward

RNG = np.random.default_rng(0)
X = RNG.integers(-9, 10, (1, 2, 12, 12)).astype(float)  # whole numbers: equal means equal
W = RNG.integers(-9, 10, (3, 2, 3, 3)).astype(float)


def conv(x: np.ndarray, **arguments: object) -> np.ndarray:
    return forward(ops.Conv2d(2, 3, 3, bias=False, **arguments), [x], {"weight": W})


def moved(x: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The picture moved down and to the right; what leaves it enters on the other side."""
    return np.roll(x, (rows, columns), axis=(-2, -1))


@pytest.mark.parametrize("shift", [(1, 0), (0, 3), (2, 5), (-4, 1)])
def test_convolution_commutes_with_every_shift_of_a_picture_that_closes_on_itself(shift):
    arguments = {"padding": 1, "padding_mode": "circular"}
    np.testing.assert_array_equal(conv(moved(X, *shift), **arguments), moved(conv(X, **arguments), *shift))


def test_with_zero_padding_it_commutes_exactly_where_padding_does_not_interfere():
    """Shifted by (2, 1): outputs agree where no window reaches an edge or the seam, and only there."""
    rows, columns = 2, 1
    there, back = conv(moved(X, rows, columns), padding=1), moved(conv(X, padding=1), rows, columns)
    agree = (there == back).all((0, 1))
    inside = np.zeros((12, 12), bool)
    inside[rows + 1 : -1, columns + 1 : -1] = True
    np.testing.assert_array_equal(agree, inside)


def test_without_padding_nothing_interferes():
    """The window that starts one pixel later on the moved picture sees what it saw before."""
    np.testing.assert_array_equal(conv(moved(X, 1, 0))[..., 1:, :], conv(X)[..., :-1, :])


@pytest.mark.parametrize(("shift", "commutes"), [(2, True), (4, True), (1, False), (3, False)])
def test_with_stride_2_only_even_shifts_commute(shift, commutes):
    """Zhang 2019, arXiv 1904.11486: subsampling is where invariance is lost."""
    arguments = {"padding": 1, "padding_mode": "circular", "stride": 2}
    there, back = conv(moved(X, shift, 0), **arguments), moved(conv(X, **arguments), shift // 2, 0)
    assert (there == back).all() == commutes


def test_a_dense_layer_does_not_commute():
    weight = RNG.integers(-9, 10, (144, 144)).astype(float)
    flat = ops.Linear(144, 144, bias=False)

    def dense(x: np.ndarray) -> np.ndarray:
        return forward(flat, [x.reshape(1, 144)], {"weight": weight}).reshape(12, 12)

    x = X[:, 0]
    assert (dense(moved(x, 1, 0)) == moved(dense(x), 1, 0)).mean() < 0.05


def test_the_dense_layers_that_commute_are_convolutions():
    """Weight sharing is the one way: a matrix that commutes with all shifts has equal entries along them."""
    weight = RNG.normal(size=(6, 6))
    shift = np.roll(np.eye(6), 1, axis=0)
    averaged = sum(
        np.linalg.matrix_power(shift, -t) @ weight @ np.linalg.matrix_power(shift, t) for t in range(6)
    )
    np.testing.assert_allclose(shift @ averaged, averaged @ shift, atol=1e-12)
    kernel = averaged[:, 0]
    for column in range(6):
        np.testing.assert_allclose(averaged[:, column], np.roll(kernel, column), atol=1e-12)


def test_the_mean_over_all_places_is_invariant():
    """Global average pooling after a convolution: the answer does not move at all."""
    arguments = {"padding": 1, "padding_mode": "circular"}
    pool = ops.AdaptiveAvgPool2d(1)
    still, shifted = (forward(pool, [conv(x, **arguments)], {}) for x in (X, moved(X, 3, 5)))
    np.testing.assert_allclose(still, shifted, rtol=1e-14)


def test_maximum_pooling_is_not_invariant_only_tolerant():
    """One bright pixel, moved within its window: no change. Moved out of it: another output lights up."""
    x = np.zeros((1, 1, 8, 8))
    x[..., 2, 2] = 1
    pool = ops.MaxPool2d(2)
    y, within, beyond = (forward(pool, [moved(x, 0, shift)], {}) for shift in (0, 1, 2))
    np.testing.assert_array_equal(y, within)
    assert (y != beyond).any()
