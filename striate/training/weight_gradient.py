"""The gradient of a convolution's weights by compiled kernels, where they are quicker than torch.

On processors with AVX2 and no AVX-512, oneDNN's kernel for this gradient reaches a fifth to a half of what
the processor can do, and takes more of a training step than anything else. ``engine.kernels.gradient`` has
ours, docs/log.md what was measured.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from striate.engine.functions import Call
from striate.engine.kernels.gradient import WeightGradient
from striate.engine.kernels.gradient_choice import gradient_kernel
from striate.engine.kernels.gradient_direct import DirectGradient
from striate.engine.kernels.gradient_winograd import WinogradGradient
from striate.training import kernels

Pair = tuple[int, int]
# multiply-adds of the batch, by the definition: with fewer nothing is gained
LEAST: dict[type[WeightGradient], int] = {WinogradGradient: 2**22, DirectGradient: 2**27}
POINTWISE = 2**16  # weights of one tap: with fewer torch's product of matrices is as quick
PLACES = 128  # of the output, in the batch: with fewer the sums are not paid back


def weight_gradient(kernel: WeightGradient, x: Tensor, gradient: Tensor, weight: Tensor) -> Tensor:
    """Of ``weight`` (K, C, kh, kw): ``x`` (N, C, H, W), ``gradient`` (N, K, H', W'); ``kernel_for`` them.

    The result lies as ``weight`` does.
    """
    given = [one.permute(0, 2, 3, 1).contiguous() for one in (x, gradient)]
    found = x.new_empty(kernel.outputs, *kernel.kernel_size, kernel.channels)
    addresses = [one.data_ptr() for one in (*given, found)]
    kernels.run([Call(kernel, addresses, kernel.units)], len(x))
    found = found.permute(0, 3, 1, 2)
    return found if found.stride() == weight.stride() else torch.empty_like(weight).copy_(found)


def kernel_for(x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> WeightGradient | None:
    """The one that is quicker than torch, for the input (N, C, H, W) of a convolution without groups; None:
    torch does it."""
    if kernels.level() is None:
        return None
    sizes = tuple(weight.shape), tuple(x.shape[2:]), stride, padding
    found = _chosen(*sizes, torch.get_num_threads())
    if found is None:
        return None
    places = len(x) * found.map[0] * found.map[1]
    work = places * found.taps * found.channels * found.outputs
    return found if places >= PLACES and work >= LEAST[type(found)] else None


@lru_cache(maxsize=4096)
def _chosen(
    weight: tuple[int, ...], size: tuple[int, ...], stride: Pair, padding: Pair, threads: int
) -> WeightGradient | None:
    outputs, channels, high, wide = weight
    if (high, wide) == (1, 1) and outputs * channels < POINTWISE:
        return None
    return gradient_kernel(channels, outputs, (size[0], size[1]), (high, wide), stride, padding, threads)
