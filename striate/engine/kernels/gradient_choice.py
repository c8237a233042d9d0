"""Which kernel computes the gradient of a convolution's weights, and in what blocks.

The numbers were measured on one processor with AVX2 and 512 KB of second-level cache: see docs/log.md.
"""

from __future__ import annotations

from dataclasses import replace

from striate.engine.kernels.gradient import WeightGradient
from striate.engine.kernels.gradient_direct import DirectGradient
from striate.engine.kernels.gradient_winograd import TAPS, WinogradGradient

Pair = tuple[int, int]
LANES = 8
MANY, SOME = 128, 32  # tiles at a time: of whole images, of a part of one
PIXELS = 112  # at a time
LEAST = 16  # channels that are worth a block


def gradient_kernel(
    channels: int, outputs: int, size: Pair, kernel_size: Pair, stride: Pair, padding: Pair, threads: int
) -> WeightGradient | None:
    """The quickest for these sizes (as torch names them), or None: there is none."""
    if any(pad >= kernel for pad, kernel in zip(padding, kernel_size, strict=True)):
        return None
    if channels * kernel_size[0] * kernel_size[1] < LANES:
        return None
    shape = channels, outputs, size, kernel_size, stride, padding
    whole = channels % LANES == 0 and outputs % LANES == 0 and min(channels, outputs) >= LEAST
    kernel: WeightGradient
    if whole and kernel_size == (TAPS, TAPS) and stride == (1, 1):
        winograd = WinogradGradient(*shape, (min(64, channels), min(64, outputs)), together=MANY)
        kernel = winograd if winograd.rows.images else replace(winograd, together=SOME)
    else:
        few = channels if channels < LEAST else min(64, channels)
        kernel = DirectGradient(*shape, (few, min(64, outputs)), together=PIXELS)
    if min(kernel.map) < 1:
        return None
    while kernel.units < threads and (smaller := _halved(kernel.block)) is not None:
        kernel = replace(kernel, block=smaller)
    return kernel


def _halved(block: Pair) -> Pair | None:
    """Half of the wider side, in whole vectors; None: both are narrow."""
    c, k = block
    if max(c, k) < 2 * LANES:
        return None
    half = -(-max(c, k) // (2 * LANES)) * LANES
    return (half, k) if c > k else (c, half)
