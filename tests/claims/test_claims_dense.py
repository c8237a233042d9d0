"""What the textbook introduction says about dense layers, and what replaces them; counted."""

import numpy as np
import pytest
import torch

from striate import ops
from striate.arithmetic import cost, output_shapes, parameters
from striate.layers import PooledHead
from striate.models import create
from striate.reference import forward

IMAGE = (1, 1, 1080, 1920)


def test_1000_dense_units_on_a_picture_of_1920x1080_have_two_thousand_million_weights():
    """1920 * 1080 * 1000 = 2,073,600,000: the textbook's 207,360 times ten thousand."""
    assert parameters(ops.Linear(1920 * 1080, 1000, bias=False)).result == 2_073_600_000


def test_1000_kernels_of_3x3_have_9000_weights():
    """On one channel, biases not counted; a colour picture makes it 27,000."""
    assert parameters(ops.Conv2d(1, 1000, 3, bias=False)).result == 9_000
    assert parameters(ops.Conv2d(3, 1000, 3, bias=False)).result == 27_000


def test_but_1000_units_and_1000_kernels_do_not_give_the_same_number_of_outputs():
    """ "The same 1000 outputs", says the textbook: the units give 1000 numbers, the kernels 1000 pictures.

    So the convolution has 230,400 times fewer weights, but as many multiplications, nine for each output.
    """
    conv = ops.Conv2d(1, 1000, 3, padding=1, bias=False)
    ((_, maps, height, width),) = output_shapes(conv, [IMAGE]).shapes
    assert maps * height * width == 2_073_600_000 != 1000
    dense = cost(ops.Linear(1920 * 1080, 1000, bias=False), [(1, 1920 * 1080)])
    assert cost(conv, [IMAGE]).multiply_adds.result == 9 * dense.multiply_adds.result


def dense_share(name: str) -> float:
    """The share of a network's parameters that sits in its linear layers; nothing is allocated."""
    with torch.device("meta"):
        network = create(name)
    dense = [m for m in network.modules() if isinstance(m, torch.nn.Linear)]
    held = sum(p.numel() for layer in dense for p in layer.parameters())
    return held / sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("name", "share"), [("alexnet", 0.959), ("alexnet_two_tower", 0.962), ("vgg16", 0.894), ("vgg19", 0.860)]
)
def test_dense_layers_hold_around_80_percent_and_more(name, share):
    assert dense_share(name) == pytest.approx(share, abs=0.001)
    assert dense_share(name) > 0.8


@pytest.mark.parametrize(
    ("name", "share"), [("googlenet", 0.155), ("resnet50", 0.080), ("mobilenet_v2", 0.365)]
)
def test_not_where_global_average_pooling_stands_before_them(name, share):
    """The textbook's 80% is of networks before 2014; these flatten no map, only means."""
    assert dense_share(name) == pytest.approx(share, abs=0.001)


def test_global_average_pooling_has_no_parameters():
    assert parameters(ops.AdaptiveAvgPool2d(1)).result == 0
    assert parameters(ops.Mean((2, 3))).result == 0


def test_it_saves_vgg16_123_million_weights():
    """512 means instead of 512 x 7 x 7 values, and one dense layer instead of three."""
    with torch.device("meta"):
        vgg, head = create("vgg16"), PooledHead(512, 1000)
    dense = [m for m in vgg.modules() if isinstance(m, torch.nn.Linear)]
    assert sum(p.numel() for layer in dense for p in layer.parameters()) == 123_642_856
    assert sum(p.numel() for p in head.parameters()) == 513_000


def test_with_it_maps_are_class_confidence_maps_exactly():
    """The score of a class is the mean of its activation map, plus a bias: exactly."""
    head, x = PooledHead(8, 5).double(), torch.randn(2, 8, 6, 7, dtype=torch.float64)
    maps = head.class_activation_maps(x)
    torch.testing.assert_close(maps.mean((2, 3)) + head.linear.bias, head(x), rtol=0, atol=1e-14)


def test_with_it_the_answer_does_not_change_when_the_map_moves():
    """Robust to translation: of a map that closes on itself, entirely so. A flattened map is not."""
    x = torch.randn(1, 8, 6, 7, dtype=torch.float64)
    pooled = PooledHead(8, 5).double()
    flattened = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8 * 42, 5)).double()
    moved = x.roll((2, 3), (2, 3))
    torch.testing.assert_close(pooled(moved), pooled(x), rtol=0, atol=1e-14)
    assert (flattened(moved) - flattened(x)).abs().max() > 0.1


def test_with_it_the_image_may_have_any_size():
    head = PooledHead(8, 5)
    assert {head(torch.zeros(1, 8, *size)).shape for size in ((1, 1), (7, 7), (9, 30))} == {(1, 5)}


def test_the_last_layer_gives_probabilities_after_softmax():
    """The textbook has the dense layer output them: it outputs scores; softmax makes shares of them."""
    scores = np.random.default_rng(0).normal(size=(4, 10)) * 5
    shares = forward(ops.Softmax(1), [scores], {})
    np.testing.assert_allclose(shares.sum(1), 1)
    assert (shares > 0).all()
    assert (scores < 0).any()
