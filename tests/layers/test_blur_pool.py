"""Blur pooling: the kernel, the sizes, the mirror, and what it is for."""

import numpy as np
import pytest
import torch
from torch import nn

from striate.capture import capture
from striate.errors import ArgumentError, ShapeError
from striate.layers import BlurPool2d
from striate.reference import run


@pytest.mark.parametrize(("size", "row"), [(1, [1]), (2, [1, 1]), (3, [1, 2, 1]), (5, [1, 4, 6, 4, 1])])
def test_the_kernels_are_the_papers(size, row):
    row = torch.tensor(row, dtype=torch.float) / sum(row)
    kernel = BlurPool2d(2, size).kernel
    assert kernel.shape == (2, 1, size, size)
    assert torch.equal(kernel[1, 0], row.outer(row))


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_sizes_are_divided_and_rounded_up(kernel_size, stride):
    y = BlurPool2d(3, kernel_size, stride)(torch.ones(2, 3, 7, 10))
    assert y.shape == (2, 3, -(-7 // stride), -(-10 // stride))
    assert torch.equal(y, torch.ones_like(y))  # the mirror adds no edge to an even picture


def test_nothing_is_learned():
    layer = BlurPool2d(4)
    assert list(layer.parameters()) == []
    assert set(layer.state_dict()) == {"kernel"}


def test_it_is_captured_and_means_the_same():
    layer, x = BlurPool2d(3, 4), torch.randn(2, 3, 9, 8)
    graph, weights = capture(layer, (2, 3, 9, 8))
    assert [type(node.op).__name__ for node in graph] == ["Pad", "Conv2d"]
    np.testing.assert_allclose(run(graph, weights, x.numpy()), layer(x), atol=1e-6)


def change_under_a_shift(pool):
    """How much the pooled picture changes, at most, when stripes one pixel wide move by one pixel."""
    stripes = torch.tensor([0.0, 1.0]).repeat(8).expand(1, 1, 16, 16)
    moved = stripes.roll(1, -1)
    return (pool(stripes) - pool(moved)).abs().max().item()


def test_stripes_finer_than_the_new_grid_do_not_come_and_go():
    assert change_under_a_shift(nn.AvgPool2d(1, 2)) == 1  # plain subsampling: all or nothing
    assert change_under_a_shift(BlurPool2d(1)) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "channels must be an integer of at least 1"),
        ((1, 0), "kernel_size must be an integer of at least 1"),
        ((1, 3, 0), "stride must be an integer of at least 1"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        BlurPool2d(*arguments)


def test_an_image_too_small_for_the_mirror_is_refused():
    with pytest.raises(ShapeError, match=r"more than 2 pixels on each side, got \(1, 1, 5, 2\)"):
        BlurPool2d(1, 5)(torch.zeros(1, 1, 5, 2))
