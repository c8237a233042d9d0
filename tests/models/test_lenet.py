"""LeNet-5 layer by layer, against the numbers printed in the paper."""

import pytest
import torch
from torch.nn import functional as F

from striate.models import create
from striate.models.digit_pictures import DIGITS, FEATURES, codes
from striate.models.probe import output_shape


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_paper_counts_each_layer():
    network = create("lenet5_1998")
    counts = {name: parameters(layer) for name, layer in network.named_children() if parameters(layer)}
    assert counts == {"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48120, "f6": 10164}
    assert sum(counts.values()) == 60_000
    assert network.output.centres.numel() == 840


def test_the_common_form_counts_each_layer():
    layers = create("lenet5").named_children()
    counts = [parameters(layer) for _, layer in layers if parameters(layer)]
    assert counts == [156, 2416, 48120, 10164, 850]


@pytest.mark.parametrize("name", ["lenet5", "lenet5_1998"])
def test_28_pixels_are_padded_to_the_same_network(name):
    published, padded = create(name).state_dict(), create(name, image_size=28).state_dict()
    assert {key: tensor.shape for key, tensor in published.items()} == {
        key: tensor.shape for key, tensor in padded.items()
    }
    with_margin = create(name).eval()
    without = create(name, image_size=28).eval()
    without.load_state_dict(with_margin.state_dict())
    digits = torch.randn(3, 1, 28, 28)
    assert torch.allclose(without(digits), with_margin(F.pad(digits, (2, 2, 2, 2))), atol=1e-5)


def test_maps_have_the_sizes_of_figure_two():
    network, shape, shapes = create("lenet5_1998"), (2, 1, 32, 32), {}
    for name, layer in network.named_children():
        shape = output_shape(layer, shape)
        shapes[name] = shape[1:]
    assert shapes["c1"] == (6, 28, 28) and shapes["s2"] == (6, 14, 14) and shapes["c3"] == (16, 10, 10)
    assert shapes["s4"] == (16, 5, 5) and shapes["c5"] == (120, 1, 1) and shapes["f6"] == (84,)
    assert shapes["output"] == (10,)


def test_the_score_is_largest_for_the_nearest_picture():
    network = create("lenet5_1998").eval()
    with torch.no_grad():
        images = torch.randn(4, 1, 32, 32)
        activity = images
        for layer in list(network)[:-1]:
            activity = layer(activity)
        distances = torch.cdist(activity, network.output.centres) ** 2
    assert torch.allclose(network(images), -distances, rtol=1e-4)


def test_weights_start_within_the_bounds_of_the_paper():
    network = create("lenet5_1998")
    assert network.c1.weight.abs().max() <= 2.4 / 25
    assert network.c5.weight.abs().max() <= 2.4 / 400
    assert 0.9 * 2.4 / 120 < network.f6.weight.abs().max() <= 2.4 / 120


def test_ten_classes_are_drawn_and_no_two_look_alike():
    centres = codes(10)
    assert centres.shape == (10, FEATURES) and set(centres.flatten().tolist()) == {-1.0, 1.0}
    different = torch.cdist(centres, centres, p=1) / 2 + FEATURES * torch.eye(10)
    assert different.min() >= 10  # pixels
    one = "".join("#" if pixel > 0 else "." for pixel in centres[1].tolist())
    assert [one[i : i + 7] for i in range(0, 84, 7)] == [row.split()[1] for row in DIGITS.split("\n") if row]


@pytest.mark.parametrize("classes", [1, 9, 11, 500])
def test_other_classes_have_codes_of_their_own(classes):
    centres = codes(classes)
    assert centres.shape == (classes, FEATURES) and len({tuple(row) for row in centres.tolist()}) == classes
    assert torch.equal(centres, codes(classes))
    assert abs(centres.mean()) < 0.2
