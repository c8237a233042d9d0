"""What the textbook introduction says about convolution, computed; where it is loose, what is true."""

import numpy as np
import pytest
from torch import nn

from striate import ops
from striate.arithmetic import output_shapes, parameters
from striate.reference import forward

RNG = np.random.default_rng(0)


def size(image: int, kernel: int, padding: int, stride: int, dilation: int = 1) -> int:
    """The side of what comes out of a square convolution, by the rule; held against a convolution itself."""
    op = ops.Conv2d(1, 1, kernel, stride, padding, dilation, bias=False)
    (shape,) = output_shapes(op, [(1, 1, image, image)]).shapes
    y = forward(op, [np.zeros((1, 1, image, image))], {"weight": np.zeros((1, 1, kernel, kernel))})
    assert y.shape == shape
    return int(shape[-1])


def test_an_image_of_5_with_kernel_3_padding_1_and_stride_2_gives_3():
    """N = (W - F + 2P) / S + 1 = (5 - 3 + 2) / 2 + 1."""
    assert size(5, kernel=3, padding=1, stride=2) == 3


def test_a_size_that_is_no_integer_is_rounded_down():
    assert (6 - 3 + 2 * 1) / 2 + 1 == 3.5
    assert size(6, kernel=3, padding=1, stride=2) == 3


def test_rounding_down_leaves_the_last_row_and_column_unread():
    """The textbook does not say what the floor costs: here, the edge of the picture."""
    x = np.zeros((1, 1, 6, 6))
    x[..., -1], x[..., -1, :] = 1, 1
    y = forward(ops.Conv2d(1, 1, 3, 2, bias=False), [x], {"weight": np.ones((1, 1, 3, 3))})
    np.testing.assert_array_equal(y, np.zeros((1, 1, 2, 2)))


def test_dilation_widens_the_kernel():
    """The short formula leaves dilation out: F becomes D (F - 1) + 1."""
    for dilation in (1, 2, 3):
        assert size(20, kernel=3, padding=0, stride=1, dilation=dilation) == 20 - (dilation * 2 + 1) + 1


def test_two_kernels_of_3x3_over_3_channels_have_56_parameters():
    """(n * m * C + 1) * K = (3 * 3 * 3 + 1) * 2."""
    number = parameters(ops.Conv2d(3, 2, 3))
    assert number.result == 56
    assert number.substitution == "(3*3*3 + 1) * 2"
    assert sum(p.numel() for p in nn.Conv2d(3, 2, 3).parameters()) == 56


def test_the_number_of_kernels_is_the_depth_of_the_output():
    for kernels in (1, 2, 7):
        (shape,) = output_shapes(ops.Conv2d(3, kernels, 3), [("N", 3, 5, 5)]).shapes
        assert shape == ("N", kernels, 3, 3)


def test_a_convolution_moves_the_kernel_and_multiplies_and_adds():
    """As a loop. The kernel is not turned round: to a mathematician, cross-correlation."""
    x, w = RNG.integers(-9, 9, (5, 5)).astype(float), RNG.integers(-9, 9, (3, 3)).astype(float)
    y = forward(ops.Conv2d(1, 1, 3, bias=False), [x[None, None]], {"weight": w[None, None]})
    for i in range(3):
        for j in range(3):
            assert y[0, 0, i, j] == sum(w[a, b] * x[i + a, j + b] for a in range(3) for b in range(3))


def test_a_tuple_is_height_then_width():
    """kernel_size=(5, 3): 5 high and 3 wide; padding=(2, 1): 2 rows above and below, 1 column each side."""
    assert output_shapes(ops.Conv2d(1, 1, (5, 3)), [(1, 1, 9, 9)]).shapes == ((1, 1, 5, 7),)
    assert output_shapes(ops.Conv2d(1, 1, 1, padding=(2, 1)), [(1, 1, 9, 9)]).shapes == ((1, 1, 13, 11),)


def test_padding_may_be_a_string_and_need_not_be_zeros():
    """ "same" keeps the size; "replicate" keeps an even picture even, zeros darken its edge."""
    x, blur = np.ones((1, 1, 4, 4)), {"weight": np.full((1, 1, 3, 3), 1 / 9)}
    zeros, replicate = (
        forward(ops.Conv2d(1, 1, 3, padding="same", bias=False, padding_mode=mode), [x], blur)
        for mode in ("zeros", "replicate")
    )
    np.testing.assert_allclose(replicate, x)
    assert zeros[0, 0, 0, 0] == pytest.approx(4 / 9)


def test_groups_divide_the_weights():
    for groups in (1, 2, 4, 8):
        assert parameters(ops.Conv2d(8, 8, 3, groups=groups, bias=False)).result == 9 * 8 * 8 // groups


def both(x: np.ndarray, first: np.ndarray, second: np.ndarray, padding: int = 0) -> np.ndarray:
    """Two convolutions, one after the other, nothing between them."""
    for w in (first, second):
        x = forward(ops.Conv2d(w.shape[1], len(w), w.shape[2], 1, padding, bias=False), [x], {"weight": w})
    return x


def composed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The one kernel that does the work of two: w[k, c, a] = sum of second[k, m, u] first[m, c, a - u].

    That is what painting the first kernel at every tap of the second gives, a transposed convolution.
    """
    painter = ops.ConvTranspose2d(len(first), first.shape[1], first.shape[2], bias=False)
    return forward(painter, [second], {"weight": first})


def test_two_convolutions_without_an_activation_are_exactly_one():
    """Of whole numbers, so that nothing is rounded: 3x3 after 3x3 is one 5x5, whose kernel is computed."""
    first = RNG.integers(-5, 6, (4, 3, 3, 3)).astype(float)
    second = RNG.integers(-5, 6, (2, 4, 3, 3)).astype(float)
    x = RNG.integers(-5, 6, (2, 3, 9, 8)).astype(float)
    one = composed(first, second)
    assert one.shape == (2, 3, 5, 5)
    y = forward(ops.Conv2d(3, 2, 5, bias=False), [x], {"weight": one})
    np.testing.assert_array_equal(both(x, first, second), y)


def test_with_padding_they_are_one_only_away_from_the_edge():
    """The textbook's "equivalent to one layer" forgets it: the second layer pads with zeros, not with values
    that the first would have had there."""
    first, second = (RNG.integers(-5, 6, (1, 1, 3, 3)).astype(float) for _ in range(2))
    x = RNG.integers(-5, 6, (1, 1, 9, 9)).astype(float)
    two = both(x, first, second, padding=1)
    one = forward(ops.Conv2d(1, 1, 5, padding=2, bias=False), [x], {"weight": composed(first, second)})
    np.testing.assert_array_equal(two[..., 1:-1, 1:-1], one[..., 1:-1, 1:-1])
    assert (two != one).any()


def test_with_an_activation_between_them_they_are_not_linear_any_more():
    first, second = (RNG.normal(size=(1, 1, 3, 3)) for _ in range(2))
    x = RNG.normal(size=(1, 1, 9, 9))

    def network(x: np.ndarray) -> np.ndarray:
        hidden = forward(ops.Conv2d(1, 1, 3, bias=False), [x], {"weight": first})
        return forward(
            ops.Conv2d(1, 1, 3, bias=False), [forward(ops.ReLU(), [hidden], {})], {"weight": second}
        )

    assert np.abs(network(x) + network(-x)).max() > 0.1  # a linear map would give 0


def test_dense_layers_without_an_activation_are_one_dense_layer():
    first, second = RNG.integers(-5, 6, (8, 5)).astype(float), RNG.integers(-5, 6, (3, 8)).astype(float)
    x = RNG.integers(-5, 6, (4, 5)).astype(float)
    hidden = forward(ops.Linear(5, 8, bias=False), [x], {"weight": first})
    two = forward(ops.Linear(8, 3, bias=False), [hidden], {"weight": second})
    one = forward(ops.Linear(5, 3, bias=False), [x], {"weight": second @ first})
    np.testing.assert_array_equal(two, one)
