"""Registering a network is what tests it: each of these runs over all of them."""

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from striate.errors import ShapeError
from striate.models import MODELS, card, create, list_models, minimum_size


@pytest.fixture(params=list_models())
def name(request):
    return request.param


def images(name, count, side=None):
    size = card(name).image_size if side is None else (side, side)
    return torch.randn(count, card(name).channels, *size, generator=torch.Generator().manual_seed(0))


def test_the_card_counts_parameters_exactly(name):
    with torch.device("meta"):
        module = create(name)
    assert sum(parameter.numel() for parameter in set(module.parameters())) == card(name).parameters


def test_the_card_counts_multiply_adds_exactly(name):
    with torch.device("meta"):
        module = create(name).eval()
        with FlopCounterMode(display=False) as counter:
            module(images(name, 1).to("meta"))
    assert counter.get_total_flops() == 2 * card(name).multiply_adds


def test_the_card_is_filled_in(name):
    about = card(name)
    assert MODELS[name].card is about and about.name == name
    assert about.authors and about.paper and about.summary.endswith(".") and about.year >= 1980
    assert (about.top1 is None) == (about.top1_source is None)
    assert about.to_json()["parameters"] == about.parameters


def test_three_steps_reach_every_parameter(name):
    torch.manual_seed(0)
    side = minimum_size(name) * 2
    module = create(name, image_size=side).train()
    optimiser = torch.optim.SGD(module.parameters(), lr=1e-3)
    labels = torch.arange(8) % card(name).classes
    for _ in range(3):
        optimiser.zero_grad()
        F.cross_entropy(module(images(name, 8, side)), labels).backward()
        for parameter_name, parameter in module.named_parameters():
            assert parameter.grad.isfinite().all(), parameter_name
            assert parameter.grad.any(), parameter_name
        optimiser.step()


def test_one_image_is_answered_alone_as_in_a_batch(name):
    module, batch = create(name).eval(), images(name, 2)
    with torch.no_grad():
        together, alone = module(batch), module(batch[:1])
    assert alone.shape == (1, card(name).classes)
    assert torch.allclose(together[:1], alone, rtol=1e-4, atol=1e-4)


def test_a_network_comes_in_training_mode(name):
    assert all(module.training for module in create(name).modules())


def test_export_accepts_it_with_any_batch(name):
    module, side = create(name, image_size=minimum_size(name)).eval(), minimum_size(name)
    batch = {0: torch.export.Dim("N")}
    program = torch.export.export(module, (images(name, 2, side),), dynamic_shapes=(batch,))
    five = images(name, 5, side)
    assert torch.allclose(program.module()(five), module(five), atol=1e-5)


@pytest.mark.parametrize("classes", [1, 2, 37])
@pytest.mark.parametrize("in_channels", [1, 3, 5])
def test_classes_and_channels_are_free(name, classes, in_channels):
    with torch.device("meta"):
        module = create(name, classes=classes, in_channels=in_channels)
        assert module(torch.empty(2, in_channels, *card(name).image_size)).shape == (2, classes)


def test_the_smallest_image_is_accepted_and_the_next_smaller_is_refused(name):
    side = minimum_size(name)
    with torch.no_grad():
        assert create(name, image_size=side).eval()(images(name, 1, side)).shape == (1, card(name).classes)
    with pytest.raises(ShapeError, match=f"image_size must be at least {side}x{side} for {name}") as caught:
        create(name, image_size=side - 1)
    assert caught.value.layer in dict(create(name).named_modules())


def test_all_sizes_from_the_smallest_on_are_accepted(name):
    """What the search for the smallest takes for granted."""
    with torch.device("meta"):
        for side in range(minimum_size(name), minimum_size(name) + 24):
            create(name, image_size=side)


def test_the_same_seed_builds_the_same_network(name):
    def state():
        torch.manual_seed(7)
        return create(name).state_dict()

    first, second = state(), state()
    assert all(torch.equal(first[key], second[key]) for key in first)
