"""The gradient of a convolution's weights by compiled kernels is what the reference says, in float64."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from engine_world import relative_error, target_of_eight_lanes

from striate import ops
from striate.engine.functions import Call, Functions
from striate.engine.kernels.gradient import WeightGradient
from striate.engine.kernels.gradient_choice import gradient_kernel
from striate.engine.kernels.gradient_direct import DirectGradient
from striate.engine.kernels.gradient_winograd import WinogradGradient
from striate.engine.kernels.whole_map import PAIRS, whole_map
from striate.engine.memory import allocate
from striate.reference.convolution import convolution_gradient


@cache
def functions() -> Functions:
    return Functions(target_of_eight_lanes())


def _agrees(kernel: WeightGradient, images: int, limit: float) -> None:
    """With one thread and two, which give the same bits; nothing but the result is written."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((images, kernel.channels, *kernel.size)).astype(np.float32)
    gradient = rng.standard_normal((images, kernel.outputs, *kernel.map)).astype(np.float32)
    op = ops.Conv2d(
        kernel.channels,
        kernel.outputs,
        kernel.kernel_size,
        kernel.stride,
        kernel.padding,
        bias=False,
    )
    weight = np.zeros((kernel.outputs, kernel.channels, *kernel.kernel_size))
    expected = convolution_gradient(op, gradient.astype(float), x.astype(float), weight)[1]["weight"]
    given = [_last(array) for array in (x, gradient)]
    found = [_result(kernel, given, images, threads) for threads in (1, 2)]
    np.testing.assert_array_equal(*found)
    assert relative_error(np.moveaxis(found[0], 3, 1), expected) < limit
    for array, buffer in zip((x, gradient), given, strict=True):
        np.testing.assert_array_equal(buffer, np.moveaxis(array, 1, 3).ravel())


def _last(array: np.ndarray) -> np.ndarray:
    """Channels last, in memory that may be walled."""
    buffer = allocate(array.size)
    buffer[:] = np.moveaxis(array, 1, 3).ravel()
    return buffer


def _result(kernel: WeightGradient, given: list[np.ndarray], images: int, threads: int) -> np.ndarray:
    shape = (kernel.outputs, *kernel.kernel_size, kernel.channels)
    result = allocate(int(np.prod(shape)))
    result[:] = np.nan
    addresses = [buffer.ctypes.data for buffer in (*given, result)]
    functions().run([Call(kernel, addresses, kernel.units)], images, threads)
    return result.reshape(shape)


@pytest.mark.parametrize(
    ("channels", "outputs", "size", "padding", "block", "together", "images"),
    [
        (16, 16, (8, 8), (1, 1), (16, 16), 4, 2),
        (16, 24, (7, 7), (1, 1), (8, 24), 16, 5),  # four images at a time, and one more
        (32, 16, (13, 18), (1, 1), (16, 16), 10, 3),  # two rows of tiles at a time, of four
        (24, 16, (5, 3), (0, 0), (16, 8), 100, 3),  # blocks that overlap
        (16, 16, (1, 1), (1, 1), (16, 16), 10, 3),
        (16, 16, (6, 9), (2, 0), (8, 16), 3, 2),
    ],
)
def test_winograd(channels, outputs, size, padding, block, together, images):
    sizes = channels, outputs, size, (3, 3), (1, 1), padding
    _agrees(WinogradGradient(*sizes, block, together=together), images, 3e-6)


@pytest.mark.parametrize(
    ("side", "channels", "outputs", "block", "together", "images"),
    [(3, 16, 24, (16, 16), 4, 6), (7, 24, 16, (16, 8), 2, 3)],
)
def test_whole_maps(side, channels, outputs, block, together, images):
    sizes = channels, outputs, (side, side), (3, 3), (1, 1), (1, 1)
    _agrees(WinogradGradient(*sizes, block, together=together, whole=True), images, 1e-6)


@pytest.mark.parametrize("side", list(PAIRS))
def test_forms_of_whole_maps_are_exact(side):
    form = whole_map(side)
    g, b, a = (np.array(matrix, float) for matrix in (form.g, form.bt, form.at))
    tap, x, y = np.indices((3, side, side))
    np.testing.assert_allclose(np.einsum("ra,rx,yr->axy", g, b, a), x - y + 1 == tap, atol=1e-14)
    assert form.size < {3: 5, 7: 12}[side]  # what F(3, 3) takes, and two of F(4, 3)


@pytest.mark.parametrize(
    ("channels", "outputs", "size", "kernel", "stride", "padding", "block", "together", "images"),
    [
        (16, 16, (8, 8), (3, 3), (2, 2), (1, 1), (16, 16), 16, 3),
        (3, 40, (33, 29), (7, 7), (2, 2), (3, 3), (3, 24), 40, 2),
        (1, 10, (12, 12), (3, 3), (1, 1), (1, 1), (1, 10), 30, 5),  # a vector that is not full
        (24, 20, (13, 18), (3, 5), (2, 1), (1, 2), (16, 16), 36, 3),
        (20, 28, (9, 9), (1, 1), (2, 2), (0, 0), (16, 24), 100, 9),
        (5, 9, (7, 7), (5, 5), (1, 1), (0, 0), (5, 9), 20, 3),
        (3, 8, (11, 11), (1, 2), (1, 1), (0, 1), (3, 8), 1000, 3),  # fewer rows than lanes
        (40, 16, (5, 3), (3, 3), (4, 3), (2, 2), (16, 16), 4, 7),
    ],
)
def test_direct(channels, outputs, size, kernel, stride, padding, block, together, images):
    sizes = channels, outputs, size, kernel, stride, padding
    _agrees(DirectGradient(*sizes, block, together=together), images, 2e-6)


def test_every_thread_finds_work():
    wide = gradient_kernel(64, 64, (56, 56), (3, 3), (1, 1), (1, 1), 16)
    assert isinstance(wide, WinogradGradient)
    assert wide.units == 16
    first = gradient_kernel(3, 64, (224, 224), (7, 7), (2, 2), (3, 3), 4)
    assert isinstance(first, DirectGradient)
    assert first.units == 4
    assert gradient_kernel(3, 8, (9, 9), (3, 3), (1, 1), (3, 3), 1) is None  # taps that meet nothing
    assert gradient_kernel(3, 8, (2, 2), (3, 3), (1, 1), (0, 0), 1) is None  # no output
    assert gradient_kernel(2, 8, (9, 9), (1, 1), (1, 1), (0, 0), 1) is None  # less than a vector
