"""A convolution without sharing: with equal kernels it is one, and it has a kernel for every place."""

import torch
from torch.nn import functional as F

from striate.layers import LocallyConnected2d


def test_with_the_same_kernel_everywhere_it_is_a_convolution() -> None:
    layer = LocallyConnected2d(2, 4, 3, (8, 7), stride=2, padding=1)
    kernel, bias = torch.randn(4, 2, 3, 3), torch.randn(4)
    with torch.no_grad():
        layer.weight.copy_(kernel.flatten(1).T.expand_as(layer.weight))
        layer.bias.copy_(bias.expand_as(layer.bias))
    x = torch.randn(3, 2, 8, 7)
    assert torch.allclose(layer(x), F.conv2d(x, kernel, bias, stride=2, padding=1), atol=1e-5)


def test_each_place_has_its_own_weights() -> None:
    layer = LocallyConnected2d(1, 1, 2, (4, 4), stride=2)
    assert layer.weight.numel() == 4 * 4
    x = torch.ones(1, 1, 4, 4)
    before = layer(x)
    with torch.no_grad():
        layer.weight[3] += 1
    assert ((layer(x) - before).flatten() != 0).tolist() == [False, False, False, True]
