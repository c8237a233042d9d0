"""What the textbook introduction says about pooling, computed; where it is wrong, what is true."""

from math import ceil

import numpy as np
import pytest
import torch
from torch import nn

from striate import ops
from striate.arithmetic import output_shapes, parameters
from striate.data.named import read_named
from striate.errors import ArgumentError
from striate.layers import MinPool2d
from striate.reference import forward

TABLE = np.array([[[[1.0, 3, 2, 1], [4, 6, 5, 0], [7, 2, 9, 8], [1, 2, 3, 4]]]])
POOLS = [ops.MaxPool2d(2), ops.AvgPool2d(2), ops.MinPool2d(2)]


@pytest.mark.parametrize(
    ("pool", "expected"),
    [(POOLS[0], [[6, 5], [7, 9]]), (POOLS[1], [[3.5, 2], [3, 6]]), (POOLS[2], [[1, 0], [1, 3]])],
)
def test_the_three_pools_by_hand(pool, expected):
    np.testing.assert_array_equal(forward(pool, [TABLE], {})[0, 0], expected)


@pytest.mark.parametrize("pool", POOLS)
def test_a_window_of_2_with_stride_2_halves_and_keeps_the_depth(pool):
    for depth in (1, 3, 64):
        assert output_shapes(pool, [("N", depth, 28, 36)]).shapes == (("N", depth, 14, 18),)


@pytest.mark.parametrize("pool", POOLS)
def test_pooling_has_no_parameters(pool):
    assert parameters(pool).result == 0
    assert list(nn.MaxPool2d(2).parameters()) == []


def test_the_stride_is_the_window_unless_given():
    assert ops.MaxPool2d((3, 2)).stride == (3, 2)


def test_pooling_shrinks_the_dense_layer_behind_it():
    """Halved on both sides, a quarter of the weights: LeNet-5's first dense layer with and without S4."""
    without, with_pool = (
        parameters(ops.Linear(16 * side * side, 120, bias=False)).result for side in (10, 5)
    )
    assert (without, with_pool) == (192_000, 48_000)


def test_maximum_pooling_pads_with_minus_infinity_not_with_zeros():
    """The textbook says zeros. Then the corner below would be 0; no pixel of the picture is over -1."""
    x = np.full((1, 1, 4, 4), -1.0)
    np.testing.assert_array_equal(forward(ops.MaxPool2d(2, padding=1), [x], {}), np.full((1, 1, 3, 3), -1.0))
    assert nn.MaxPool2d(2, padding=1)(torch.tensor(x)).max() == -1


def test_minimum_pooling_pads_with_plus_infinity():
    x = torch.ones(1, 1, 4, 4)
    assert MinPool2d(2, padding=1)(x).min() == 1


def test_pooling_takes_no_string_for_padding():
    """The textbook offers "int, tuple or str"; only convolution has 'same' and 'valid'."""
    with pytest.raises(ArgumentError, match="padding must be a known padding, got 'same'"):
        ops.MaxPool2d(2, padding="same")
    with pytest.raises(TypeError):
        nn.MaxPool2d(2, padding="same")(torch.zeros(1, 1, 4, 4))


def test_ceil_rounds_up_to_the_smallest_integer_not_below():
    """The textbook calls ceil the *largest* integer not below, which does not exist."""
    exact = (6 - 3) / 2 + 1
    assert exact == 2.5
    candidates = [n for n in range(100) if n >= exact]
    assert min(candidates) == ceil(exact) == 3
    for mode, expected in ((False, 2), (True, 3)):
        pool = ops.MaxPool2d(3, 2, ceil_mode=mode)
        assert output_shapes(pool, [(1, 1, 6, 6)]).shapes == ((1, 1, expected, expected),)


def test_even_ceil_leaves_out_a_window_that_would_see_padding_alone():
    """ceil((3 - 1 + 2 * 0) / 3) + 1 = 2 windows, the second of which would start beyond the picture."""
    pool = ops.MaxPool1d(1, 3, ceil_mode=True)
    assert ceil((3 - 1) / 3) + 1 == 2
    assert output_shapes(pool, [(1, 1, 3)]).shapes == ((1, 1, 1),)


def silent(y):
    return (y == 0).float().mean().item()


def test_minimum_pooling_after_relu_returns_almost_only_zeros_of_independent_values():
    """One silent neighbour silences a window: if half of them are, 1 - 1/2^4 and 1 - 1/2^9."""
    noise = torch.randn(20, 1, 96, 96, generator=torch.Generator().manual_seed(0)).relu()
    assert silent(MinPool2d(2)(noise)) == pytest.approx(15 / 16, abs=0.01)
    assert silent(MinPool2d(3)(noise)) == pytest.approx(511 / 512, abs=0.01)


def test_of_pictures_minimum_pooling_after_relu_leaves_more():
    """The textbook's "meaningless" is too strong for them: neighbours are alike, and fall silent together.

    100 embedded images, 32 random filters: 50% of the values are silent, 69% after the minimum over 3x3, 32%
    after the maximum. It makes a silent map more silent, which is reason enough to leave it.
    """
    images = torch.tensor(read_named("fashion-mini")["train"][0][:100, :, :, 0]).float().unsqueeze(1) / 255
    torch.manual_seed(0)
    filters = nn.Conv2d(1, 32, 3, bias=False)
    with torch.no_grad():
        seen = filters((images - images.mean()) / images.std()).relu()
    assert silent(nn.MaxPool2d(3)(seen)) < 0.4 < silent(seen) < 0.6 < silent(MinPool2d(3)(seen)) < 0.8
