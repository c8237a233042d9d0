"""What the textbook introduction says about activations, computed; where it is wrong, what is true."""

from math import exp, pi, sqrt
from types import SimpleNamespace

import numpy as np
import pytest

from striate import ops
from striate.reference import derivative, forward, gelu_error

X = np.linspace(-8, 8, 16_001)  # every thousandth; 0 is among them
BELOW, ABOVE = -1e-9, 1e-9


def f(op, x):
    return forward(op, [np.asarray(x, float)], {})


def slope(op, x):
    return derivative(op, np.asarray(x, float))


# --- sigmoid and tanh ---------------------------------------------------------------------------------------


def test_sigmoid_lies_between_0_and_1_and_grows():
    y = f(ops.Sigmoid(), X)
    assert (y > 0).all()
    assert (y < 1).all()
    assert (np.diff(y) > 0).all()


def test_sigmoid_reaches_0_and_1_only_by_rounding():
    """ "For a large positive number the output is 1": in double precision from 37 on, in truth never."""
    assert f(ops.Sigmoid(), 36) < 1 == f(ops.Sigmoid(), 37)
    assert f(ops.Sigmoid(), -700) > 0 == f(ops.Sigmoid(), -800)


def test_the_derivative_of_sigmoid_is_f_times_1_minus_f():
    y = f(ops.Sigmoid(), X)
    np.testing.assert_allclose(slope(ops.Sigmoid(), X), y * (1 - y), rtol=1e-9)


def test_sigmoid_saturates():
    """At best a quarter of the gradient passes, at |x| = 8 a three-thousandth."""
    assert slope(ops.Sigmoid(), X).max() == slope(ops.Sigmoid(), 0) == 1 / 4
    assert slope(ops.Sigmoid(), [-8, 8]) == pytest.approx(1 / 2983, rel=1e-3)


def test_sigmoid_is_not_zero_centred_and_tanh_is():
    assert f(ops.Sigmoid(), X).mean() == pytest.approx(0.5)
    assert f(ops.Tanh(), X).mean() == pytest.approx(0, abs=1e-12)
    np.testing.assert_array_equal(f(ops.Tanh(), -X), -f(ops.Tanh(), X))


def test_tanh_is_a_sigmoid_stretched_and_its_derivative_is_1_minus_its_square():
    np.testing.assert_allclose(f(ops.Tanh(), X), 2 * f(ops.Sigmoid(), 2 * X) - 1, atol=1e-15)
    np.testing.assert_allclose(slope(ops.Tanh(), X), 1 - f(ops.Tanh(), X) ** 2)


def test_tanh_saturates_too_but_passes_four_times_as_much_at_0():
    assert slope(ops.Tanh(), 0) == 1 == 4 * slope(ops.Sigmoid(), 0)
    assert slope(ops.Tanh(), [-8, 8]).max() < 1e-6


def test_through_ten_layers_the_gradient_of_sigmoid_vanishes_and_that_of_relu_does_not():
    """At best 4^-10, one millionth, arrives; of ReLU all, where x > 0."""
    assert slope(ops.Sigmoid(), X).max() ** 10 == pytest.approx(9.5e-7, rel=0.01)
    assert slope(ops.ReLU(), X).max() ** 10 == 1


# --- ReLU and its kin ---------------------------------------------------------------------------------------


def test_relu_has_slope_0_below_and_1_above_and_no_derivative_at_0():
    """From the left 0, from the right 1; where there is none, PyTorch and we take 0."""
    relu = ops.ReLU()
    assert (f(relu, 0) - f(relu, BELOW)) / -BELOW == 0
    assert (f(relu, ABOVE) - f(relu, 0)) / ABOVE == 1
    assert slope(relu, 0) == 0
    np.testing.assert_array_equal(slope(relu, [-3, 3]), [0, 1])


def test_relu_does_not_saturate_above_and_is_silent_below():
    noise = np.random.default_rng(0).normal(size=100_000)
    assert slope(ops.ReLU(), 1e9) == 1
    assert (f(ops.ReLU(), noise) == 0).mean() == pytest.approx(0.5, abs=0.01)


def test_relu6_is_bounded_by_0_and_6():
    np.testing.assert_array_equal(f(ops.ReLU6(), X), np.minimum(np.maximum(0, X), 6))
    assert (f(ops.ReLU6(), X).min(), f(ops.ReLU6(), X).max()) == (0, 6)


def test_leaky_relu_lets_a_little_through_below_so_that_no_unit_dies():
    leaky = ops.LeakyReLU(0.01)
    assert f(leaky, -3) == -0.03
    assert (slope(leaky, X) != 0).all()


def test_the_textbooks_maximum_is_leaky_relu_only_up_to_slope_1():
    """max(alpha x, x) is PyTorch's LeakyReLU for alpha <= 1; beyond, the maximum bends the other half."""
    np.testing.assert_array_equal(f(ops.LeakyReLU(0.01), X), np.maximum(0.01 * X, X))
    assert f(ops.LeakyReLU(2), -3) == -6 != max(2 * -3, -3)


def test_elu_tends_to_minus_alpha():
    for alpha in (1.0, 2.0):
        assert f(ops.ELU(alpha), -50) == -alpha
        assert (f(ops.ELU(alpha), X) > -alpha).all()


def test_the_derivative_of_elu_is_f_plus_alpha_below_0():
    for alpha in (1.0, 2.0):
        np.testing.assert_allclose(slope(ops.ELU(alpha), X[X <= 0]), f(ops.ELU(alpha), X[X <= 0]) + alpha)
        np.testing.assert_array_equal(slope(ops.ELU(alpha), X[X > 0]), 1)


def test_elu_is_smooth_at_0_for_alpha_1_alone():
    """The textbook's other choice, alpha = 2, has a corner: slope 2 below, 1 above."""
    assert slope(ops.ELU(1), [BELOW, ABOVE]) == pytest.approx([1, 1])
    assert slope(ops.ELU(2), [BELOW, ABOVE]) == pytest.approx([2, 1])


def test_elu_brings_the_mean_nearer_to_zero_than_relu():
    noise = np.random.default_rng(0).normal(size=100_000)
    assert f(ops.ReLU(), noise).mean() == pytest.approx(1 / sqrt(2 * pi), abs=0.01)  # 0.40
    assert f(ops.ELU(), noise).mean() == pytest.approx(0.16, abs=0.01)


# --- GELU ---------------------------------------------------------------------------------------------------


def test_gelu_is_smooth_at_0_where_relu_is_not():
    assert slope(ops.GELU(), [BELOW, 0, ABOVE]) == pytest.approx([0.5, 0.5, 0.5])
    assert slope(ops.ReLU(), [BELOW, ABOVE]).tolist() == [0, 1]


def test_gelu_is_x_times_the_share_of_a_normal_below_x():
    """The integral of the textbook, for mean 0 and deviation 1, by the rectangle rule."""
    grid = np.arange(-12, 12, 1e-4)
    density = np.exp(-(grid**2) / 2) / sqrt(2 * pi)
    for x in (-2.0, -0.5, 0.3, 1.7):
        assert f(ops.GELU(), x) == pytest.approx(x * density[grid < x].sum() * 1e-4, abs=1e-4)


def test_gelu_does_not_avoid_vanishing_gradients():
    """The textbook says that it can. It is flat at x = -0.7518, and below -6 as silent as ReLU."""
    assert slope(ops.GELU(), -0.7517916) == pytest.approx(0, abs=1e-7)
    assert f(ops.GELU(), X).min() == pytest.approx(-0.16997, abs=1e-5)
    assert np.abs(slope(ops.GELU(), [-6, -8])).max() < 1e-7


def test_how_far_the_approximations_of_gelu_are_off():
    """Measured, not assumed: tanh 0.000473 at x = 2.699, sigmoid 0.0203 at 2.270."""
    assert gelu_error("tanh") == pytest.approx((0.00047324, 2.699), rel=1e-4)
    assert gelu_error("sigmoid") == pytest.approx((0.0203349, 2.2704), rel=1e-4)


def tanh_form(x, factor):
    return 0.5 * x * (1 + np.tanh(factor * (x + 0.044715 * x**3)))


def test_the_tanh_form_needs_the_square_root_of_2_over_pi():
    """With it, GELU to 0.0005; with 2/pi or 2 pi, as the printed page can be read, something else."""
    error = {
        factor: np.abs(tanh_form(X, factor) - f(ops.GELU(), X)).max()
        for factor in (sqrt(2 / pi), 2 / pi, 2 * pi)
    }
    assert error[sqrt(2 / pi)] < 0.0005
    assert error[2 / pi] > 0.05
    assert error[2 * pi] > 0.15


BERT_LISTING = """
def gelu():
    cdf = 0.5 * (1.0 + tf.tanh((np.sqrt(2 / np.pi) * (x + 0.044715 * tf.pow(x, 3)))))
    return x * cdf
"""


def test_the_bert_listing_forgets_its_argument():
    """As printed, with tensorflow's two functions supplied, it cannot be called with an x, nor without."""
    names = {"np": np, "tf": SimpleNamespace(tanh=np.tanh, pow=np.power)}
    exec(BERT_LISTING, names)
    with pytest.raises(TypeError, match="takes 0 positional arguments but 1 was given"):
        names["gelu"](X)
    with pytest.raises(NameError, match="'x' is not defined"):
        names["gelu"]()
    exec(BERT_LISTING.replace("gelu()", "gelu(x)"), names)
    np.testing.assert_allclose(names["gelu"](X), f(ops.GELU("tanh"), X), atol=1e-15)


def test_the_sigmoid_formula_must_not_mix_its_letters():
    """f(x) = 1 / (1 + e^-z) is printed; with one letter it is what we compute."""
    assert f(ops.Sigmoid(), 1.5) == pytest.approx(1 / (1 + exp(-1.5)))
