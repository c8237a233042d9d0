"""Registering a network is what tests it: each of these runs over all of them, on meta tensors.

What takes one pass runs for every network in `make test`; what takes many runs there for the smallest network
of each paper, and for the others in the long tier. What computes stands in test_every_model_computes.py.
"""

import re
from fnmatch import fnmatch

import pytest
import torch
from families import long_except, smallest_of_each_family
from torch.utils.flop_counter import FlopCounterMode

from striate.errors import ArgumentError, ShapeError
from striate.models import MODELS, card, create, list_models, minimum_size, outline
from striate.models.probe import ShapesOnly, output_shape, without_memory

SMALLEST = smallest_of_each_family(50_000_000, both_forms=False)  # AlexNet and VGG are for the long tier
DEEPEST = {"resnet1202_cifar", "preact_resnet1001_cifar"}  # seconds for a pass even over meta tensors
every = pytest.mark.parametrize("name", long_except(set(list_models()) - DEEPEST))
one_of_each = pytest.mark.parametrize("name", long_except(SMALLEST))


@every
def test_the_card_counts_parameters_and_multiply_adds_exactly(name):
    module = outline(name)
    assert all(part.training for part in module.modules())
    with FlopCounterMode(display=False) as counter, ShapesOnly(), torch.no_grad():
        module.eval()(torch.empty(1, card(name).channels, *card(name).image_size, device="meta"))
    parameters = dict(module.named_parameters())
    assert sum(parameter.numel() for parameter in parameters.values()) == card(name).parameters
    assert counter.get_total_flops() == 2 * card(name).multiply_adds
    for pattern in card(name).no_gradient:
        assert any(fnmatch(path, pattern) for path in parameters), pattern


@every
def test_the_card_is_filled_in(name):
    about = card(name)
    assert MODELS[name].card is about and about.name == name
    assert about.authors and about.paper and about.summary.endswith(".") and about.year >= 1962
    assert (about.top1 is None) == (about.top1_source is None)
    assert about.to_json()["parameters"] == about.parameters


@every
def test_classes_and_channels_are_free(name):
    module = outline(name, classes=37, in_channels=1)
    assert output_shape(module, (2, 1, *card(name).image_size)) == (2, 37)


@one_of_each
def test_the_smallest_image_is_accepted_and_the_next_smaller_is_refused(name):
    side = minimum_size(name)
    with without_memory():
        module = create(name, classes=1, in_channels=5, image_size=side).eval()
        assert output_shape(module, (1, 5, side, side)) == (1, 1)
        if side == 1:
            with pytest.raises(ArgumentError, match="image_size must be an integer of at least 1, got 0"):
                create(name, image_size=0)
            return
        with pytest.raises(ShapeError, match=re.escape(f"at least {side}x{side} for {name},")) as caught:
            create(name, image_size=side - 1)
    assert caught.value.layer in dict(outline(name).named_modules())


@one_of_each
def test_larger_images_than_the_smallest_are_accepted(name):
    """What the search for the smallest takes for granted."""
    with without_memory():
        for more in (1, 2, 5, 11, 23):
            create(name, image_size=minimum_size(name) + more)
