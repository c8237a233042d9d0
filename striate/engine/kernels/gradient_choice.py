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
MANY, SOME = 64, 32  # tiles at a time: of whole images, of a part of one
PIXELS = 112  # at a time
LEAST = 16  # channels that are worth Winograd's transforms
SIDE = 64  # channels of a block, whose sums should be near
# by stride, padding and size of the input: whole maps; the sides of a block, and maps at a time
MAPS: dict[tuple[Pair, Pair, Pair], Pair] = {
    ((1, 1), (1, 1), (3, 3)): (128, 64),
    ((1, 1), (1, 1), (7, 7)): (64, 16),
}
POINTWISE = 256  # the same for one tap, which has fewer sums, and where copies cost more beside them


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
    if whole and kernel_size == (TAPS, TAPS) and (stride, padding, size) in MAPS:
        side, together = MAPS[stride, padding, size]
        block = _part(channels, side), _part(outputs, side)
        kernel = WinogradGradient(*shape, block, together=together, whole=True)
    elif whole and kernel_size == (TAPS, TAPS) and stride == (1, 1):
        winograd = WinogradGradient(*shape, (_part(channels, SIDE), _part(outputs, SIDE)), together=MANY)
        kernel = winograd if winograd.rows.images else replace(winograd, together=SOME)
    else:
        side = POINTWISE if kernel_size == (1, 1) else SIDE
        kernel = DirectGradient(*shape, (_part(channels, side), _part(outputs, side)), together=PIXELS)
    if min(kernel.map) < 1:
        return None
    while kernel.units < threads and (smaller := _halved(kernel.block)) is not None:
        kernel = replace(kernel, block=smaller)
    return kernel


def _part(channels: int, most: int) -> int:
    """All of them, or one of several nearly equal parts, in whole vectors."""
    pieces = -(-channels // most)
    return channels if pieces == 1 else -(-channels // (pieces * LANES)) * LANES


def _halved(block: Pair) -> Pair | None:
    """Half of the wider side, in whole vectors; None: both are narrow."""
    c, k = block
    if max(c, k) < 2 * LANES:
        return None
    half = -(-max(c, k) // (2 * LANES)) * LANES
    return (half, k) if c > k else (c, half)
