"""A pass over meta tensors finds sizes and the layer that fails, and touches nothing."""

import pytest
import torch
from torch import nn

from striate.errors import ShapeError
from striate.models.probe import output_shape


def test_the_module_is_not_touched():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout()).train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    assert output_shape(module, (2, 1, 9, 7)) == (2, 2, 7, 5)
    assert module.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert not any(layer._forward_pre_hooks for layer in module.modules())


def test_the_failing_layer_is_named_with_its_path_and_input():
    module = nn.Sequential(nn.MaxPool2d(2), nn.Sequential(nn.ReLU(), nn.Conv2d(3, 4, 5)))
    with pytest.raises(
        ShapeError, match=r"1\.1 \(Conv2d\) cannot take a map of 4x4 with 3 channels: "
    ) as caught:
        output_shape(module, (2, 3, 8, 8))
    assert caught.value.layer == "1.1"
    assert not any(layer._forward_pre_hooks for layer in module.modules())


def test_a_linear_layer_of_another_size_is_named():
    module = nn.Sequential(nn.Flatten(), nn.Linear(5, 2))
    with pytest.raises(ShapeError, match=r"^1 \(Linear\) cannot take 4 values: "):
        output_shape(module, (2, 1, 2, 2))
