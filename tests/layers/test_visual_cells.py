"""Gabor filters, simple and complex cells: what physiology says about them, computed."""

import pytest
import torch
from torch.nn import functional as F

from striate.errors import ArgumentError
from striate.insight.orientation import grating
from striate.layers import ComplexCells, SimpleCells, gabor_filters

WAVELENGTHS, ORIENTATIONS, SIZE = (4.0, 8.0), 8, 25


@pytest.fixture(scope="module")
def filters():
    return gabor_filters(WAVELENGTHS, ORIENTATIONS, SIZE)


def test_an_even_field_is_not_answered(filters):
    assert filters.shape == (4, 2, 8, 25, 25)
    assert filters.sum(dim=(-1, -2)).abs().max() < 1e-6


def test_opposite_phases_are_negatives_and_neighbouring_ones_orthogonal(filters):
    assert torch.allclose(filters[2], -filters[0], atol=1e-7) and torch.allclose(
        filters[3], -filters[1], atol=1e-7
    )
    assert (filters[0] * filters[1]).sum(dim=(-1, -2)).abs().max() < 1e-6


def test_each_filter_answers_one_to_the_wave_it_is_made_of(filters):
    for scale, wavelength in enumerate(WAVELENGTHS):
        for index in range(ORIENTATIONS):
            wave = torch.from_numpy(grating(SIZE, 1 / wavelength, index * 180 / ORIENTATIONS, 90.0))
            answers = (filters[:, scale, index].double() * wave).sum(dim=(-1, -2))
            assert answers.tolist() == pytest.approx([0, 1, 0, -1], abs=0.01)


def test_the_first_orientation_is_horizontal_and_the_fifth_vertical(filters):
    horizontal, vertical = filters[0, 0, 0], filters[0, 0, 4]
    bar = torch.zeros(SIZE, SIZE)
    bar[SIZE // 2] = 1
    assert (horizontal * bar).sum() > 10 * (vertical * bar).sum().abs()
    assert torch.allclose(vertical, horizontal.T, atol=1e-6)
    rising = torch.flip(torch.eye(SIZE), dims=(0,))  # from bottom left to top right: 45 degrees
    answers = (filters[0, 0] * rising).sum(dim=(-1, -2))
    assert answers.argmax() == 2


def test_energy_does_not_depend_on_where_the_bars_lie_and_simple_cells_do():
    cells = SimpleCells(1, WAVELENGTHS, ORIENTATIONS, SIZE)
    waves = torch.stack([torch.from_numpy(grating(51, 1 / 8, 45.0, phase)) for phase in range(0, 360, 15)])
    simple = cells(waves[:, None].float())
    energy = ComplexCells()(simple)
    preferred = ORIENTATIONS + 2  # second wavelength, 45 degrees
    middle = energy[:, preferred, 25, 25]
    assert middle.min() > 0.98 and middle.max() < 1.02
    assert simple[:, preferred, 25, 25].min() == 0 and simple[:, preferred, 25, 25].max() > 0.98
    assert energy[:, :, 25, 25].mean(dim=0).argmax() == preferred


def test_energy_is_the_root_of_the_squared_quadrature_pair():
    cells, x = SimpleCells(1, (4.0,), 3, 9), torch.randn(2, 1, 20, 17)
    even, odd = F.conv2d(x, cells.filters[:3], padding=4), F.conv2d(x, cells.filters[3:6], padding=4)
    assert torch.allclose(ComplexCells()(cells(x)), (even**2 + odd**2).sqrt(), atol=1e-5)


def test_channels_are_seen_as_their_mean_and_nothing_is_trained():
    grey, colour = SimpleCells(1, (4.0,), 2, 9), SimpleCells(3, (4.0,), 2, 9)
    x = torch.randn(1, 3, 12, 12)
    assert torch.allclose(colour(x), grey(x.mean(dim=1, keepdim=True)), atol=1e-5)
    assert list(colour.parameters()) == [] and list(colour.state_dict()) == ["filters"]


def test_a_blank_image_has_a_gradient():
    x = torch.zeros(1, 1, 9, 9, requires_grad=True)
    ComplexCells()(SimpleCells(1, (4.0,), 2, 9)(x)).sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((4.0,), 8, 12), "size must be odd, so that a filter has a middle, got 12"),
        (((1.5, 4.0), 8, 13), r"wavelengths must be at least 2 pixels, got \(1.5, 4.0\)"),
        (((), 8, 13), "wavelengths must be at least 2 pixels"),
        (((4.0,), 0, 13), "orientations must be an integer of at least 1"),
    ],
)
def test_filters_that_cannot_be_drawn_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        gabor_filters(*arguments)
