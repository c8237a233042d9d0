"""The dates and depths of the textbook's history, against the cards and the networks themselves."""

import pytest
import torch
from torch import nn

from striate.models import card, create


@pytest.mark.parametrize(
    ("name", "year"),
    [
        ("lenet5_1998", 1998),
        ("alexnet_two_tower", 2012),
        ("vgg16", 2014),
        ("vgg19", 2014),
        ("googlenet_2014", 2014),
        ("resnet152", 2015),
        ("senet154", 2017),
    ],
)
def test_the_years(name, year):
    assert card(name).year == year


def weighted_layers(name: str, skip: str = "downsample") -> int:
    """Convolutions and dense layers on the main path: what a network's depth counts."""
    with torch.device("meta"):
        network = create(name)
    return sum(
        isinstance(m, (nn.Conv2d, nn.Linear)) and skip not in path for path, m in network.named_modules()
    )


@pytest.mark.parametrize(
    ("name", "depth"), [("alexnet_two_tower", 8), ("vgg16", 16), ("vgg19", 19), ("resnet152", 152)]
)
def test_the_depths(name, depth):
    assert weighted_layers(name) == depth


def test_lenet_has_the_layers_that_networks_still_have():
    """Convolution, pooling, dense."""
    kinds = {type(m).__name__ for m in create("lenet5").modules()}
    assert {"Conv2d", "Linear"} < kinds
    assert any("Pool" in kind for kind in kinds)


def test_alexnet_is_deeper_and_wider_than_lenet():
    def widest(name: str) -> int:
        with torch.device("meta"):
            return max(m.out_channels for m in create(name).modules() if isinstance(m, nn.Conv2d))

    assert weighted_layers("alexnet") > weighted_layers("lenet5")
    assert widest("alexnet") > widest("lenet5")
