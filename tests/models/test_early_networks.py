"""Networks from 1990 to 2016 layer by layer, against the numbers printed in their papers."""

import pytest
import torch
from torch.nn import functional as F

from striate.models import create
from striate.models.alexnet import normalisation
from striate.models.lenet1 import H3_TABLE
from striate.models.lenet4 import C3_TABLE


def counts(module):
    return {
        name: sum(parameter.numel() for parameter in layer.parameters())
        for name, layer in module.named_children()
        if list(layer.parameters())
    }


def test_lenet1_has_the_parameters_and_the_connections_of_the_paper():
    assert counts(create("lenet1")) == {"h1": 104, "h2": 8, "h3": 512, "h4": 24, "output": 1930}
    assert sum((104, 8, 512, 24, 1930)) == 2578
    connections = 24 * 24 * 104 + 12 * 12 * 4 * 5 + 8 * 8 * 512 + 4 * 4 * 12 * 5 + 1930
    assert connections == 98_442
    assert [sum(source in row for row in H3_TABLE) for source in range(4)] == [5] * 4


def test_lenet4_fits_the_published_multiply_adds():
    assert counts(create("lenet4")) == {
        "c1": 104, "s2": 16, "c3": 1216, "s4": 32, "f5": 48_120, "output": 1210,
    }  # fmt: skip
    assert 28 * 28 * 104 + 14 * 14 * 8 * 5 + 10 * 10 * 1216 + 5 * 5 * 16 * 5 + 48_120 + 1210 == 262_306
    assert len(set(C3_TABLE)) == 16 and {len(set(row)) for row in C3_TABLE} == {3}
    assert [sum(source in row for row in C3_TABLE) for source in range(8)] == [6] * 8


def test_alexnet_normalises_by_the_sum_of_squares_as_equation_of_section_3_3():
    x = torch.randn(2, 7, 3, 3, dtype=torch.float64)
    squares = F.pad(x**2, (0, 0, 0, 0, 2, 2))
    sums = sum(squares[:, shift : shift + 7] for shift in range(5))
    assert torch.allclose(normalisation()(x), x / (2 + 1e-4 * sums) ** 0.75, rtol=1e-12)


def test_alexnet_starts_with_biases_of_one_where_the_paper_says():
    network = create("alexnet_two_tower", image_size=67)
    ones = {name for name, layer in network.named_children() if list(layer.parameters()) and layer.bias.all()}
    assert ones == {"conv2", "conv4", "conv5", "fc6", "fc7"}
    assert network.fc7.weight.std().item() == pytest.approx(0.01, rel=0.01)


def test_the_towers_of_alexnet_meet_in_conv3_only():
    network = create("alexnet_two_tower", image_size=67).eval()
    x = torch.randn(1, 96, 15, 15)
    changed = x.clone()
    changed[:, 48:] += 1
    conv2, conv3 = network.conv2(x), network.conv3(network.conv2(x))
    assert torch.equal(network.conv2(changed)[:, :128], conv2[:, :128])
    assert not torch.equal(network.conv3(network.conv2(changed))[:, :192], conv3[:, :192])


@pytest.mark.parametrize("name", ["vgg11_bn_cifar", "alexnet_cifar", "squeezenet_cifar"])
def test_small_forms_take_28_pixels_with_the_same_weights(name):
    with torch.device("meta"):
        large, small = create(name).state_dict(), create(name, image_size=28).state_dict()
    assert {key: tensor.shape for key, tensor in large.items()} == {
        key: tensor.shape for key, tensor in small.items()
    }


def test_vgg_has_as_many_weight_layers_as_its_name_says():
    for depth in (11, 13, 16, 19):
        with torch.device("meta"):
            state = create(f"vgg{depth}").state_dict()
        assert sum(name.endswith("weight") for name in state) == depth
