"""The gradient of a convolution's weights computed as a convolution is torch's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate import create
from striate.training import weight_gradient
from striate.training.device import Placement

HERE = Placement("cpu", "fp32", "channels_last", 1)


@pytest.fixture(autouse=True)
def avx2(monkeypatch):
    """As on a processor on which it pays."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")


@pytest.mark.parametrize(
    ("shape", "out", "kernel", "stride", "padding", "bias"),
    [
        ((16, 32, 7, 7), 40, 3, 1, 1, False),
        ((8, 33, 14, 13), 32, 3, 2, 1, True),
        ((8, 32, 9, 6), 32, (5, 3), (2, 1), (2, 0), False),
        ((8, 256, 14, 14), 256, 3, 1, 1, True),
    ],
)
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_gradients_are_torchs(shape, out, kernel, stride, padding, bias, layout):
    torch.manual_seed(0)
    layer = nn.Conv2d(shape[1], out, kernel, stride, padding, bias=bias).to(memory_format=layout)
    x = torch.randn(shape).to(memory_format=layout).requires_grad_()
    wanted, found = _gradients(layer, x), []
    with weight_gradient.quick_weight_gradients(nn.Sequential(layer), HERE):
        assert "_Convolution" in type(layer(x).grad_fn).__name__
        found = _gradients(layer, x)
        with torch.no_grad():
            assert layer(x).grad_fn is None
    assert "_conv_forward" not in vars(layer)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.stride() == theirs.stride()
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


def _gradients(layer: nn.Conv2d, x: torch.Tensor) -> list[torch.Tensor]:
    answer = layer(x)
    weights = torch.linspace(-1, 1, answer.numel()).view_as(answer)
    return list(torch.autograd.grad((answer * weights).sum(), [x, *layer.parameters()]))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(32, 32, 3, padding=1), (8, 32, 28, 28)),  # large maps
        (nn.Conv2d(32, 32, 3, padding=1), (8, 32, 14, 14)),  # few channels for the map
        (nn.Conv2d(32, 32, 3, padding=1), (9, 32, 7, 7)),  # no whole vectors of images
        (nn.Conv2d(32, 32, 3, padding="same"), (8, 32, 7, 7)),
        (nn.Conv2d(32, 32, 3, padding=1, padding_mode="reflect"), (8, 32, 7, 7)),
        (nn.Conv2d(32, 32, 3, padding=2, dilation=2), (8, 32, 7, 7)),
        (nn.Conv2d(64, 64, 3, padding=1, groups=2), (8, 64, 7, 7)),
        (nn.Conv2d(64, 64, 1), (8, 64, 7, 7)),
    ],
)
def test_others_are_left_alone(layer, shape):
    with weight_gradient.quick_weight_gradients(layer, HERE):
        assert "_Convolution" not in type(layer(torch.randn(shape)).grad_fn).__name__


def test_frozen_weights_and_other_processors_are_left_alone(monkeypatch):
    module = create("striate_base", classes=10, in_channels=1, image_size=(28, 28))
    convolution = module.block3.conv
    with weight_gradient.quick_weight_gradients(module, HERE):
        convolution.weight.requires_grad_(False)
        assert (
            "_Convolution"
            not in type(convolution(torch.randn(8, 128, 3, 3, requires_grad=True)).grad_fn).__name__
        )
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    with weight_gradient.quick_weight_gradients(module, HERE):
        assert "_conv_forward" not in vars(convolution)
