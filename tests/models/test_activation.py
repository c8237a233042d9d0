"""Another activation in the hidden layers of every network, however it is built; gates keep theirs."""

from __future__ import annotations

import pytest
import torch
from families import smallest_of_each_family
from torch import nn

from striate.errors import ArgumentError
from striate.models import create, replace_activations
from striate.models.activation import ACTIVATIONS, HIDDEN
from striate.training.monitor import Units, watching

WITHOUT = ("neocognitron",)  # its cells are formulas, which no layer stands for


@pytest.mark.parametrize("name", smallest_of_each_family())
def test_no_relu_is_left(name: str) -> None:
    with torch.device("meta"):
        module = create(name)
    before = module.state_dict().keys()
    gates = [type(part) for part in module.modules() if isinstance(part, nn.Sigmoid | nn.Hardsigmoid)]
    if name in WITHOUT:
        with pytest.raises(ArgumentError, match="without one in its hidden layers, got 'leaky_relu'"):
            replace_activations(module, "leaky_relu")
        return
    assert replace_activations(module, "leaky_relu") > 0
    assert module.state_dict().keys() == before
    assert not any(isinstance(part, HIDDEN) and type(part) is not nn.LeakyReLU for part in module.modules())
    assert gates == [type(part) for part in module.modules() if isinstance(part, nn.Sigmoid | nn.Hardsigmoid)]


@pytest.mark.parametrize("name", ["preact_resnet20_cifar", "shufflenet_v1_g3_cifar", "striate_photo"])
def test_none_is_called_behind_the_modules_back(name: str) -> None:
    module = create(name, classes=3, image_size=(32, 32)).eval()
    replace_activations(module, "leaky_relu")
    seen: list[Units] = []
    with torch.no_grad(), watching(module, seen):
        module(torch.zeros(2, 3, 32, 32))
    assert seen == []


def test_every_activation_answers_as_torch_says() -> None:
    x = torch.linspace(-3, 8, 23).reshape(1, -1)
    for name in ACTIVATIONS:
        module = nn.Sequential(nn.Identity(), nn.ReLU())
        replace_activations(module, name)
        assert torch.equal(module(x), getattr(torch.nn.functional, name)(x)), name


def test_an_unknown_one_is_refused() -> None:
    with pytest.raises(
        ArgumentError, match=r"activation must be one of relu, leaky_relu.*'leakyrelu'.*leaky_relu"
    ):
        replace_activations(nn.Sequential(nn.ReLU()), "leakyrelu")
