"""The blocks of our own networks: convolution block, whitened stem, pooled head."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from striate.errors import ArgumentError
from striate.layers import ConvBlock, PooledHead, WhitenedStem, whiten_, whitening_filters


def correlated_images(count, channels):
    """Noise that neighbours share, as in pictures."""
    noise = torch.randn(count, channels, 20, 20, generator=torch.Generator().manual_seed(0))
    return F.avg_pool2d(noise, 3, 1) * 3


def test_whitening_filters_make_patches_of_unit_covariance():
    images = correlated_images(400, 2)
    filters = whitening_filters(images, (3, 3), (1, 1), eps=0.0)
    assert filters.shape == (18, 2, 3, 3)
    answers = F.conv2d(images, filters).transpose(0, 1).flatten(1)
    assert torch.allclose(answers @ answers.T / answers.shape[1], torch.eye(18), atol=2e-3)


def test_the_strongest_direction_comes_first():
    images = correlated_images(50, 1) + 1  # the mean brightness is the strongest direction
    first = whitening_filters(images, (4, 4), (2, 2))[0]
    assert (first > 0).all() or (first < 0).all()


@pytest.mark.parametrize(("outputs", "whitened"), [(16, 16), (40, 32)])
def test_half_of_the_filters_are_negatives_and_what_is_left_stays(outputs, whitened):
    conv = nn.Conv2d(1, outputs, 4, 2, bias=False)
    before, half = conv.weight.detach().clone(), outputs // 2
    whiten_(conv, correlated_images(50, 1))
    pairs = whitened // 2
    assert torch.equal(conv.weight[:pairs], -conv.weight[half : half + pairs])
    assert (conv.weight != before).flatten(1).any(1).sum() == whitened
    assert conv.weight.requires_grad


def test_a_stem_halves_the_map_and_starts_from_images():
    stem = WhitenedStem(3, 8)
    before = stem.conv.weight.detach().clone()
    stem.initialise_from(correlated_images(20, 3))
    assert not torch.equal(stem.conv.weight, before)
    assert stem(torch.zeros(2, 3, 28, 28)).shape == (2, 8, 14, 14)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((5, 3, 8, 8), "images must have the 1 channels"),
        ((1, 8, 8), "images must have the 1 channels"),
        ((5, 1, 3, 8), "at least one patch of 4x4"),
        ((0, 1, 8, 8), "at least one patch of 4x4"),
    ],
)
def test_images_without_a_patch_are_refused_and_the_weights_stay(shape, message):
    conv = nn.Conv2d(1, 4, 4, bias=False)
    before = conv.weight.detach().clone()
    with pytest.raises(ArgumentError, match=message):
        whiten_(conv, torch.zeros(shape))
    assert torch.equal(conv.weight, before)


def test_a_block_pools_before_its_norm():
    block = ConvBlock(3, 4, pool=2)
    assert [name for name, _ in block.named_children()] == ["conv", "pool", "norm", "relu"]
    assert block(torch.randn(2, 3, 8, 8)).shape == (2, 4, 4, 4)
    assert [name for name, _ in ConvBlock(3, 4, activation=False).named_children()] == ["conv", "norm"]


@pytest.mark.parametrize("size", [(1, 1), (7, 3)])
def test_a_pooled_head_takes_maps_of_any_size(size):
    head, x = PooledHead(4, 5), torch.randn(2, 4, *size)
    assert torch.allclose(head(x), head.linear(x.mean((2, 3))), atol=1e-6)


def test_the_mean_of_a_class_activation_map_is_the_score_without_its_bias():
    head, x = PooledHead(4, 5), torch.randn(2, 4, 7, 3)
    maps = head.class_activation_maps(x)
    assert maps.shape == (2, 5, 7, 3)
    assert torch.allclose(maps.mean((2, 3)), head(x) - head.linear.bias, atol=1e-6)


def test_a_class_activation_map_points_at_what_was_seen():
    head, x = PooledHead(2, 2), torch.zeros(1, 2, 3, 3)
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[1.0, 0], [0, -2]]))
    x[0, 0, 1, 2], x[0, 1, 0, 0] = 5, 3
    expected = torch.zeros(1, 2, 3, 3)
    expected[0, 0, 1, 2], expected[0, 1, 0, 0] = 5, -6
    assert torch.equal(head.class_activation_maps(x), expected)
