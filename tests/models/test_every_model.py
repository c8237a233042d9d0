"""Registering a network is what tests it: each of these runs over all of them.

What takes a pass over meta tensors runs for every network in `make test`; what computes runs there for the
smallest network of each paper, at both of its image sizes if it has two, and for the others in the long tier.
"""

import re
from fnmatch import fnmatch

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from striate.errors import ArgumentError, ShapeError
from striate.layers.auxiliary import cross_entropy
from striate.models import MODELS, card, create, list_models, minimum_size

SMALL_IMAGES = 64  # pixels; up to this a network is a form for small images
LARGE = 50_000_000  # parameters; from here on a network is computed in the long tier only (AlexNet, VGG)


def smallest_of_each_family():
    """The family is the paper, and the form for small images a family of its own."""
    families = {}
    for name in list_models():
        about = card(name)
        families.setdefault((about.paper, max(about.image_size) <= SMALL_IMAGES), []).append(about)
    smallest = [
        min(cards, key=lambda about: (about.multiply_adds, -about.year)) for cards in families.values()
    ]
    return {about.name for about in smallest if about.parameters < LARGE}


SMALLEST = smallest_of_each_family()
COMPUTED = [
    name if name in SMALLEST else pytest.param(name, marks=pytest.mark.long) for name in list_models()
]
DEEPEST = {"resnet1202_cifar", "preact_resnet1001_cifar"}  # seconds for a pass even over meta tensors
every = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.long) if name in DEEPEST else name for name in list_models()],
)
computed = pytest.mark.parametrize("name", COMPUTED)


def images(name, count, side=None):
    size = card(name).image_size if side is None else (side, side)
    return torch.randn(count, card(name).channels, *size, generator=torch.Generator().manual_seed(0))


def side_to_train_at(name):
    """Twice the smallest, and not so small that the first windows see more margin than image."""
    return min(max(2 * minimum_size(name), 16), max(card(name).image_size))


@pytest.fixture(scope="module", params=COMPUTED)
def evaluated(request):
    """(name, side, the network in evaluation mode): built once for all tests that only ask it."""
    side = side_to_train_at(request.param)
    torch.manual_seed(0)
    return request.param, side, create(request.param, image_size=side).eval()


def on_meta(name, **free):
    """Built without memory, and without the pass that ``create`` makes: the tests make one themselves."""
    about = card(name)
    known = {"classes": about.classes, "in_channels": about.channels, "image_size": about.image_size}
    with torch.device("meta"):
        return MODELS[name].build(**(known | free))


def alike(found, expected):
    """To 1e-4 of the largest score: an untrained network may answer in billions."""
    return (found - expected).abs().max() <= 1e-4 * (1 + expected.abs().max())


@every
def test_the_card_counts_parameters_and_multiply_adds_exactly(name):
    module = on_meta(name)
    assert all(part.training for part in module.modules())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
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


@computed
def test_three_steps_reach_every_parameter(name):
    torch.manual_seed(0)
    side = side_to_train_at(name)
    if name not in SMALLEST:  # batch norm over single pixels, block after block, blows gradients up
        side = max(side, min(64, *card(name).image_size))
    module = create(name, image_size=side).train()
    optimiser = torch.optim.SGD(module.parameters(), lr=1e-3)
    batch, labels = images(name, 4, side), torch.arange(4) % card(name).classes
    reached = set()
    for _ in range(3):
        optimiser.zero_grad()
        cross_entropy(module(batch), labels).backward()
        for parameter_name, parameter in module.named_parameters():
            if parameter.grad is not None:
                assert parameter.grad.isfinite().all(), parameter_name
                reached |= {parameter_name} if parameter.grad.any() else set()
        optimiser.step()
    missed = {path for path, _ in module.named_parameters()} - reached
    explained = card(name).no_gradient
    unexplained = {path for path in missed if not any(fnmatch(path, pattern) for pattern in explained)}
    assert not unexplained


def test_one_image_is_answered_alone_as_in_a_batch(evaluated):
    name, side, module = evaluated
    batch = images(name, 2, side)
    with torch.no_grad():
        together, alone = module(batch), module(batch[:1])
    assert alone.shape == (1, card(name).classes)
    assert alike(together[:1], alone)


def test_export_accepts_it_with_any_batch(evaluated):
    name, side, module = evaluated
    batch = {0: torch.export.Dim("N")}
    program = torch.export.export(module, (images(name, 2, side),), dynamic_shapes=(batch,))
    five = images(name, 5, side)
    assert alike(program.module()(five), module(five))


@every
def test_classes_and_channels_are_free(name):
    module = on_meta(name, classes=37, in_channels=1).eval()
    with torch.no_grad():
        assert module(torch.empty(2, 1, *card(name).image_size, device="meta")).shape == (2, 37)


@computed
def test_the_smallest_image_is_accepted_and_the_next_smaller_is_refused(name):
    side = minimum_size(name)
    with torch.no_grad():
        module = create(name, classes=1, in_channels=5, image_size=side).eval()
        assert module(torch.zeros(1, 5, side, side)).shape == (1, 1)
    if side == 1:
        with pytest.raises(ArgumentError, match="image_size must be an integer of at least 1, got 0"):
            create(name, image_size=0)
        return
    with pytest.raises(ShapeError, match=re.escape(f"at least {side}x{side} for {name},")) as caught:
        create(name, image_size=side - 1)
    with torch.device("meta"):
        assert caught.value.layer in dict(create(name).named_modules())


@computed
def test_larger_images_than_the_smallest_are_accepted(name):
    """What the search for the smallest takes for granted."""
    with torch.device("meta"):
        for more in (1, 2, 5, 11, 23):
            create(name, image_size=minimum_size(name) + more)


@computed
def test_the_same_seed_builds_the_same_network(name):
    def state():
        torch.manual_seed(7)
        return create(name).state_dict()

    first, second = state(), state()
    assert all(torch.equal(first[key], second[key]) for key in first)
