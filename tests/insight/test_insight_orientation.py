"""Orientation tuning: measured on cells whose tuning is known from a formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from striate.errors import ArgumentError
from striate.insight import orientation_tuning
from striate.insight.answers import answers_of
from striate.layers import ComplexCells, SimpleCells, gabor_filters
from striate.layers.gabor import WIDTH
from striate.models import create

FREQUENCIES = np.geomspace(1 / 16, 0.35, 12)


def gabor_weight() -> np.ndarray:
    return gabor_filters((6.0,), 8, 31)[1].reshape(8, 1, 31, 31).numpy()


def test_a_gabor_filter_prefers_what_it_is_made_of() -> None:
    tuning = orientation_tuning(gabor_weight(), frequencies=(*FREQUENCIES, 1 / 6))
    assert np.allclose(tuning.preferred_orientation, np.arange(8) * 22.5, atol=0.2)
    assert np.allclose(tuning.preferred_frequency, 1 / 6)
    assert (tuning.selectivity > 0.99).all()
    assert tuning.responses.shape == (8, 13, 36)


def test_the_half_width_is_that_of_the_formula() -> None:
    """A round bell of deviation s in space is one of 1 / (2 pi s) in frequency, around the wave's own."""
    tuning = orientation_tuning(gabor_weight(), frequencies=(1 / 6,), orientations=180)
    cosine = 1 - np.log(2) / (2 * np.pi * WIDTH) ** 2
    assert np.allclose(tuning.half_width, np.degrees(np.arccos(cosine)), atol=0.15)


def test_circular_variance_is_that_of_the_curve() -> None:
    tuning = orientation_tuning(gabor_weight())
    curve, angles = tuning.curves[3], np.radians(tuning.orientations)
    east, north = (curve * np.cos(2 * angles)).sum(), (curve * np.sin(2 * angles)).sum()
    assert tuning.circular_variance[3] == pytest.approx(1 - np.hypot(east, north) / curve.sum())


def test_simple_cells_follow_the_phase_and_complex_cells_do_not() -> None:
    simple = SimpleCells(1, (6.0,), 4, 31)
    complex_ = nn.Sequential(simple, ComplexCells())
    of_simple = orientation_tuning(answers_of(simple), size=31, frequencies=(1 / 6,))
    of_complex = orientation_tuning(answers_of(complex_), size=31, frequencies=(1 / 6,))
    assert np.allclose(of_simple.modulation, np.pi / 2, atol=0.03) and len(of_simple.modulation) == 16
    assert (of_complex.modulation < 0.03).all()
    assert np.allclose(of_complex.preferred_orientation, [0, 45, 90, 135], atol=0.2)


def test_a_round_filter_has_no_orientation() -> None:
    up, right = np.mgrid[-10:11, -10:11]
    centre, surround = (np.exp(-(up**2 + right**2) / (2 * s**2)) / s**2 for s in (1.5, 3.0))
    tuning = orientation_tuning((centre - surround)[None, None])
    assert tuning.circular_variance[0] > 0.99 and tuning.selectivity[0] < 0.02
    assert np.isnan(tuning.half_width[0])


def test_a_silent_filter_has_no_preference_and_makes_json() -> None:
    tuning = orientation_tuning(np.zeros((1, 3, 5, 7)))
    content = tuning.to_json()
    assert content["preferred_orientation"] == content["modulation"] == content["half_width"] == [None]
    assert content["selectivity"] == [0.0] and content["circular_variance"] == [1.0]
    assert len(content["curves"][0]) == len(content["orientations"]) == 36


def test_the_first_layer_of_a_network_can_be_measured_both_ways() -> None:
    torch.manual_seed(0)
    layer = create("lenet5").c1
    weight = layer.weight.detach().numpy()
    with torch.no_grad():
        layer.bias.zero_()
    from_weight = orientation_tuning(weight)
    from_module = orientation_tuning(answers_of(layer.train()), size=5)
    assert np.allclose(from_weight.responses, from_module.responses, atol=1e-5)
    assert layer.training


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": np.zeros((4, 3, 3))}, r"must have shape \(filters, channels, height, width\)"),
        ({"layer": np.full((1, 1, 2, 2), np.inf)}, "layer must be finite"),
        ({"layer": lambda images: images}, "size must be the side of the images, got None"),
        ({"layer": np.ones((1, 1, 3, 3)), "orientations": 7}, "orientations must be even and at least 4"),
        ({"layer": np.ones((1, 1, 3, 3)), "phases": 2}, "phases at least 3, got 36 and 2"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        orientation_tuning(**arguments)
