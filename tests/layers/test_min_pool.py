"""MinPool2d against a definition that has no maximum in it, over the argument space of the window."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from striate.errors import ArgumentError
from striate.layers import MinPool2d

SIDE = st.integers(1, 3)
PAIR = st.tuples(SIDE, SIDE)


@st.composite
def windows(draw):
    kernel = draw(PAIR)
    padding = tuple(draw(st.integers(0, side // 2)) for side in kernel)
    return {
        "kernel_size": kernel,
        "stride": draw(st.none() | PAIR),
        "padding": padding,
        "dilation": draw(st.tuples(st.integers(1, 2), st.integers(1, 2))),
        "ceil_mode": draw(st.booleans()),
    }


def minimum_by_definition(x, kernel_size, stride, padding, dilation, size):
    """Windows read one by one; what lies outside the image is plus infinity."""
    stride = stride or kernel_size
    output = torch.full((*x.shape[:2], *size), float("inf"))
    for row in range(size[0]):
        for column in range(size[1]):
            for i in range(kernel_size[0]):
                for j in range(kernel_size[1]):
                    y = row * stride[0] + i * dilation[0] - padding[0]
                    z = column * stride[1] + j * dilation[1] - padding[1]
                    if 0 <= y < x.shape[2] and 0 <= z < x.shape[3]:
                        output[:, :, row, column] = torch.minimum(output[:, :, row, column], x[:, :, y, z])
    return output


@settings(max_examples=60, deadline=None)
@given(windows(), st.integers(5, 8), st.integers(5, 8))
def test_it_is_the_minimum_of_each_window(window, height, width):
    x = torch.randn(2, 2, height, width, generator=torch.Generator().manual_seed(height * width))
    result = MinPool2d(**window)(x)
    assert result.shape == nn.MaxPool2d(**window)(x).shape
    window.pop("ceil_mode")
    assert torch.equal(result, minimum_by_definition(x, **window, size=tuple(result.shape[2:])))


def test_padding_never_wins_over_positive_values():
    assert MinPool2d(3, 1, padding=1)(torch.full((1, 1, 4, 4), 5.0)).eq(5).all()


def test_indices_point_at_the_minima():
    x = torch.randn(2, 3, 7, 7)
    values, indices = MinPool2d(3, 2, 1, return_indices=True)(x)
    assert torch.equal(x.flatten(2).gather(2, indices.flatten(2)).view_as(values), values)
    assert torch.equal(values, MinPool2d(3, 2, 1)(x))


def test_the_gradient_goes_to_the_smallest_value_alone():
    x = torch.tensor([[[[3.0, 1.0], [2.0, 4.0]]]], requires_grad=True)
    MinPool2d(2)(x).sum().backward()
    assert x.grad.tolist() == [[[[0, 1], [0, 0]]]]


def test_one_image_without_a_batch():
    assert MinPool2d(2)(torch.zeros(3, 4, 4)).shape == (3, 2, 2)


def test_export_shows_negate_maximum_negate():
    program = torch.export.export(MinPool2d(2, ceil_mode=True), (torch.zeros(1, 1, 5, 5),))
    called = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert called == ["aten.neg.default", "aten.max_pool2d.default", "aten.neg.default"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel_size": 0}, "kernel_size must be an integer of at least 1"),
        ({"kernel_size": 2, "stride": 0}, "stride must be an integer of at least 1"),
        ({"kernel_size": 2, "padding": 2}, "padding must be at most half of the window"),
        ({"kernel_size": 3, "padding": ((0, 1), 1)}, "padding must be an integer"),
        ({"kernel_size": 2, "ceil_mode": 1}, "ceil_mode must be True or False"),
    ],
)
def test_windows_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        MinPool2d(**arguments)


def test_integer_images_are_refused():
    with pytest.raises(ArgumentError, match=r"input must be floating-point, got torch.uint8"):
        MinPool2d(2)(torch.zeros(1, 1, 4, 4, dtype=torch.uint8))
