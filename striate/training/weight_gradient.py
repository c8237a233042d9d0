"""The gradient of a convolution's weights on small maps, computed as a convolution.

On processors with AVX2 and no AVX-512, oneDNN's kernel for this gradient reaches half the speed of its kernel
for a convolution, and less on small maps. With images and channels exchanged the one is the other: the
input (C, N, H, W), convolved with the output's gradient (K, N, H', W') as its weights, is the gradient
(C, K, kh, kw). The exchange moves both maps in memory, which pays where they are small: see docs/log.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input

from striate.training.device import Placement

_TINY = 7 * 7  # pixels of the output's map up to which it pays for any number of channels from 32 on
_SMALL, _MANY = 14 * 14, 256  # and up to which for so many
_FEW = 32
_VECTOR = 8  # images are the inner axis of the product: whole vectors of float32


@contextmanager
def quick_weight_gradients(module: nn.Module, placement: Placement) -> Iterator[None]:
    """Inside, the convolutions of ``module`` take the quicker way where it is one."""
    changed = [part for part in module.modules() if type(part) is nn.Conv2d] if _wanted(placement) else []
    for convolution in changed:
        convolution._conv_forward = _forward_of(convolution)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for convolution in changed:
            del convolution._conv_forward


def _wanted(placement: Placement) -> bool:
    own = placement.device == "cpu" and placement.precision == "fp32" and not placement.compiled
    return own and torch.backends.cpu.get_cpu_capability() == "AVX2"


def _forward_of(convolution: nn.Conv2d) -> Any:
    usual = convolution._conv_forward

    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Any:
        if torch.is_grad_enabled() and weight.requires_grad and _pays(convolution, x):
            how = (convolution.stride, convolution.padding)
            return _Convolution.apply(x, weight, bias, *how)  # type: ignore[no-untyped-call]
        return usual(x, weight, bias)

    return forward


def _pays(convolution: nn.Conv2d, x: Tensor) -> bool:
    if x.dim() != 4 or len(x) % _VECTOR or isinstance(convolution.padding, str):
        return False
    plain = convolution.groups == 1 and convolution.dilation == (1, 1) and convolution.padding_mode == "zeros"
    if not plain or min(convolution.kernel_size) < 3:
        return False
    rows, columns = (size // stride for size, stride in zip(x.shape[2:], convolution.stride, strict=True))
    channels = min(convolution.in_channels, convolution.out_channels)
    return channels >= (_FEW if rows * columns <= _TINY else _MANY) and rows * columns <= _SMALL


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.how = (stride, padding)
        return F.conv2d(x, weight, bias, stride, padding)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), (stride, padding) = ctx.saved_tensors, ctx.how
        of_input, of_weight, of_bias = ctx.needs_input_grad[:3]
        return (
            conv2d_input(x.shape, weight, gradient, stride, padding)  # type: ignore[no-untyped-call]
            if of_input
            else None,
            weight_gradient(x, gradient, weight, stride, padding) if of_weight else None,
            gradient.sum((0, 2, 3)) if of_bias else None,
            None,
            None,
        )


def weight_gradient(
    x: Tensor, gradient: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """Of ``weight`` (K, C, kh, kw), in its layout: ``x`` (N, C, H, W), ``gradient`` (N, K, H', W')."""
    images, weights = (
        one.transpose(0, 1).contiguous(memory_format=torch.channels_last) for one in (x, gradient)
    )
    found = F.conv2d(images, weights, padding=padding, dilation=stride).transpose(0, 1)
    height, width = weight.shape[2:]
    return torch.empty_like(weight).copy_(found[:, :, :height, :width])
