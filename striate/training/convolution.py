"""Convolutions of a training on a CPU: each of its three sums by compiled kernels of our own where they pay.

The output and the gradient of the input are a convolution each (``kernels``), the gradient of the weights is
``weight_gradient``'s. What has no kernel that pays, for its shape on this processor, is left to torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.engine.kernels.kernel import Kernel
from striate.training import kernels, weight_gradient
from striate.training.device import Placement
from striate.training.evaluate import evaluating

Pair = tuple[int, int]
WINDOW = (3, 3)


class Changed:
    """A network whose convolutions take the quicker way. ``tell`` hears how many kernels ``prepare`` is about
    to compile, if there are any that are not on disk; what was not prepared is compiled when it is needed."""

    def __init__(self, module: nn.Module, placement: Placement) -> None:
        own = placement.own_convolutions
        self.convolutions: list[Any] = [part for part in module.modules() if _plain(part)] if own else []
        self.tell: Callable[[int], object] = lambda count: None
        self.inside = True  # copies that are made of the module take the usual way again, too
        self._module, self._placement, self._prepared = module, placement, not self.convolutions
        for convolution in self.convolutions:
            convolution._conv_forward = _forward_of(convolution, self)

    def end(self) -> None:
        self.inside = False
        for convolution in self.convolutions:
            del convolution._conv_forward

    def prepare(self, images: Tensor) -> None:
        """Compile together, once, what training on batches like ``images`` (N, C, H, W) will ask for.

        What sizes the convolutions see is found out by passing two images through.
        """
        if self._prepared:
            return
        self._prepared, self.inside = True, False
        seen: dict[nn.Conv2d, torch.Size] = {}
        hooks = [
            part.register_forward_pre_hook(lambda part, given: seen.update({part: given[0].shape}))
            for part in self.convolutions
        ]
        try:
            with evaluating(self._module):
                self._module(self._placement.lay_out(images[:2]).float())
        finally:
            self.inside = True
            for hook in hooks:
                hook.remove()
        most = max(len(images), kernels.LEAST_TILES)  # later batches may be larger
        wanted = [one for part, size in seen.items() for one in _kernels(part, (most, *size[1:]))]
        kernels.prepare(wanted, self.tell)


@contextmanager
def own_convolutions(module: nn.Module, placement: Placement) -> Iterator[Changed]:
    """Inside, the plain convolutions of ``module`` take the quicker way where there is one."""
    changed = Changed(module, placement)
    try:
        yield changed
    finally:
        changed.end()


def _kernels(convolution: nn.Conv2d, shape: tuple[int, ...]) -> list[Kernel]:
    """All that a convolution of such an input (N, C, H, W) may ask for while it learns."""
    if len(shape) != 4:
        return []
    x, weight, how = torch.empty(shape, device="meta"), convolution.weight, _how(convolution)
    own = (_output(x, weight, *how), _of_input(x, weight, *how))
    third = weight_gradient.kernel_for(x, weight, *how)
    return [kernel for one in own if one for kernel in one.kernels] + ([third] if third else [])


def _how(convolution: nn.Conv2d) -> tuple[Pair, Pair]:
    """Stride and padding."""
    return convolution.stride, convolution.padding  # type: ignore[return-value]


def _plain(part: nn.Module) -> bool:
    return (
        type(part) is nn.Conv2d
        and part.groups == 1
        and part.dilation == (1, 1)
        and part.padding_mode == "zeros"
        and not isinstance(part.padding, str)
    )


def _forward_of(convolution: nn.Conv2d, changed: Changed) -> Any:
    usual, how = convolution._conv_forward, _how(convolution)

    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Any:
        if not changed.inside or not _numbers(x, weight, bias):
            return usual(x, weight, bias)
        learns = torch.is_grad_enabled() and any(
            one is not None and one.requires_grad for one in (x, weight, bias)
        )
        own = _output(x, weight, *how)
        if learns and (own is not None or _gradients_pay(x, weight, *how)):
            return _Convolution.apply(x, weight, bias, *how, own)  # type: ignore[no-untyped-call]
        return usual(x, weight, bias) if own is None else own(_channels_last(x), _laid_out(weight), bias)

    return forward


def _numbers(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether these are float32 in this processor's memory, of sizes that fit, to be computed as they are."""
    there = all(
        type(one) in (Tensor, nn.Parameter) and one.dtype == torch.float32 and one.device.type == "cpu"
        for one in (x, weight, *(() if bias is None else (bias,)))
    )
    fits = x.dim() == 4 and x.numel() > 0 and x.shape[1] == weight.shape[1]  # else torch says what is wrong
    return there and fits and not torch.is_autocast_enabled("cpu")


def _output(x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> kernels.Convolution | None:
    if not _known(weight, stride):
        return None
    outputs, channels = weight.shape[:2]
    size = (x.shape[2], x.shape[3])
    found = kernels.Convolution(channels, outputs, size, padding, _laid_out(weight).stride())
    return found if found.pays(len(x)) else None


def _of_input(x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> kernels.Convolution | None:
    if not _known(weight, stride):
        return None
    outputs, channels = weight.shape[:2]
    height, width = (size + 2 * pad - 2 for size, pad in zip(x.shape[2:], padding, strict=True))
    back = (2 - padding[0], 2 - padding[1])
    order = _laid_out(weight).stride()
    found = kernels.Convolution(outputs, channels, (height, width), back, order, flipped=True)
    return found if found.pays(len(x)) else None


def _known(weight: Tensor, stride: Pair) -> bool:
    """Whether there are kernels for such a window."""
    return tuple(weight.shape[2:]) == WINDOW and stride == (1, 1)


def _gradients_pay(x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> bool:
    of_input = x.requires_grad and _of_input(x, weight, stride, padding) is not None
    return of_input or (weight.requires_grad and bool(weight_gradient.kernel_for(x, weight, stride, padding)))


def _laid_out(weight: Tensor) -> Tensor:
    """In one of the two orders that there are, without gaps."""
    last = weight.is_contiguous(memory_format=torch.channels_last)
    return weight if last or weight.is_contiguous() else weight.contiguous()


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: Pair,
        padding: Pair,
        own: kernels.Convolution | None,
    ) -> Tensor:
        if own is None:
            answer = F.conv2d(x, weight, bias, stride, padding)
        else:
            x = _channels_last(x)  # once, for the gradients too
            answer = own(x, _laid_out(weight), bias)
        ctx.save_for_backward(x, weight)
        ctx.how = stride, padding
        return answer

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), how = ctx.saved_tensors, ctx.how
        wanted = list(ctx.needs_input_grad[:3])
        found: list[Tensor | None] = [None, None, None]
        if wanted[0] and (own := _of_input(x, weight, *how)) is not None:
            gradient = _channels_last(gradient)
            found[0], wanted[0] = own(gradient, _laid_out(weight), None), False
        if wanted[1] and (kernel := weight_gradient.kernel_for(x, weight, *how)) is not None:
            found[1], wanted[1] = weight_gradient.weight_gradient(kernel, x, gradient, weight), False
        if wanted[2]:
            found[2], wanted[2] = gradient.sum((0, 2, 3)), False
        if any(wanted):
            stride, padding = how
            theirs = torch.ops.aten.convolution_backward(
                *(gradient, x, weight, None, stride, padding, (1, 1), False, (0, 0), 1, wanted)
            )
            found = [ours if ours is not None else one for ours, one in zip(found, theirs, strict=True)]
        return (*found, None, None, None)
