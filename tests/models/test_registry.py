"""Names, refusals, and the choice of a network when nobody names one."""

import re
import sys

import pytest
import torch

from striate.errors import ArgumentError, ShapeError, UnknownNameError
from striate.models import MODELS, auto, card, create, minimum_size, register


def test_a_name_is_registered_once():
    taken = MODELS["lenet5"]
    with pytest.raises(ArgumentError, match="name must be a network's own, got 'lenet5'"):
        register(card("lenet5"))(taken.build)
    assert MODELS["lenet5"] is taken


@pytest.mark.parametrize("ask", [create, card, minimum_size])
def test_an_unknown_name_is_answered_with_near_ones(ask):
    with pytest.raises(UnknownNameError, match=r"got 'lenet6': did you mean lenet5"):
        ask("lenet6")


@pytest.mark.parametrize("name", [None, 5, ["lenet5"]])
def test_a_name_that_is_no_word_is_unknown(name):
    with pytest.raises(UnknownNameError, match=r"model must be the name of a network, got "):
        create(name)


def test_a_name_that_nothing_is_near_is_told_where_all_stand() -> None:
    with pytest.raises(UnknownNameError) as caught:
        create("mysterious")
    assert str(caught.value) == (
        "model must be the name of a network, got 'mysterious': striate models lists them all."
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": 0}, "classes must be an integer of at least 1, got 0"),
        ({"classes": 2.5}, "classes must be an integer of at least 1, got 2.5"),
        ({"classes": True}, "classes must be an integer of at least 1, got True"),
        ({"in_channels": 0}, "in_channels must be an integer of at least 1, got 0"),
        ({"image_size": 0}, "image_size must be an integer of at least 1, got 0"),
        ({"image_size": (28, 28, 1)}, "image_size must have one entry for each of the 2 axes"),
        ({"image_size": "28"}, "image_size must be an integer of at least 1, got '28'"),
        ({"image_size": 10**9}, "image_size must be at most 65535 pixels a side, got 1000000000x1000000000"),
        ({"classes": 10**13}, "must leave weights that fit into memory, got 10000000000000, 1 and 32x32 for"),
        ({"in_channels": 10**20}, "must leave weights that fit into memory, got 10, 100000000000000000000"),
        ({"weights": 5}, "weights must be a path, a repository (hf-hub:timm/...) or 'pretrained', got 5"),
        ({"weights": ""}, "weights must be a path, a repository (hf-hub:timm/...) or 'pretrained', got ''"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=re.escape(message)):
        create("lenet5", **arguments)


def test_an_image_too_small_names_the_layer_and_the_remedy():
    with pytest.raises(ShapeError) as caught:
        create("striate_small", image_size=(28, 5))
    assert caught.value.layer == "block3.pool"
    assert str(caught.value).startswith(
        "image_size must be at least 8x8 for striate_small, got 28x5: "
        "block3.pool (MaxPool2d) cannot take a map of 7x1 with 128 channels: "
    )
    assert str(caught.value).endswith("Give larger images, or choose another network.")


def test_building_draws_nothing_from_the_generator_but_the_weights():
    torch.manual_seed(3)
    create("lenet5", image_size=12)
    first = torch.rand(())
    torch.manual_seed(3)
    minimum_size.cache_clear()
    minimum_size("lenet5")
    create("lenet5", image_size=12)
    assert torch.rand(()) == first


@pytest.mark.parametrize("size", [(28, 28), (64, 64)])
def test_the_default_for_small_images(size):
    assert auto(size) == ("striate_base", None)


def test_photographs_are_fine_tuned_where_weights_are_installed(monkeypatch):
    assert auto((65, 64)) == ("efficientnet_lite0", "pretrained")
    monkeypatch.setattr(sys.modules["striate.models.pretrained"], "find_spec", lambda name: None)
    assert auto((65, 64)) == ("striate_photo", None)


def test_every_default_exists():
    for side in (8, 28, 64, 96, 224):
        with torch.device("meta"):
            create(auto((side, side))[0], image_size=side, in_channels=3)
