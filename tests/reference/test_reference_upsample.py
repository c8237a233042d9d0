"""Nearest upsampling: where a product falls just short of an integer (21 pixels to 69), torch decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from striate import ops
from striate.reference import forward


@pytest.mark.parametrize("size", [3, 8, 21, 26])
def test_nearest_chooses_torchs_pixel(size: int) -> None:
    x = np.arange(size, dtype=np.float32).reshape(1, 1, size)
    for count in range(1, 110):
        expected = F.interpolate(torch.tensor(x), size=count).numpy()
        np.testing.assert_array_equal(forward(ops.Upsample(size=count), [x], {}), expected)


@pytest.mark.parametrize("factor", [0.3, 0.7, 1.1, 1.5, 2.3, 3.3])
def test_nearest_by_a_factor_chooses_torchs_pixel(factor: float) -> None:
    for size in range(4, 40):
        x = np.arange(size, dtype=np.float32).reshape(1, 1, size)
        expected = F.interpolate(torch.tensor(x), scale_factor=factor).numpy()
        np.testing.assert_array_equal(forward(ops.Upsample(scale_factor=factor), [x], {}), expected)
