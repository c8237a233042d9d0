"""A pass over meta tensors finds sizes and the layer that fails, and touches nothing."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
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


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    sides=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)) | st.integers(1, 4),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)) | st.integers(1, 3),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)) | st.integers(0, 2) | st.just("valid"),
    dilation=st.integers(1, 3),
    channels=st.sampled_from([2, 4]),
)
def test_sizes_that_are_told_are_those_that_torch_computes(
    data, sides, kernel, stride, padding, dilation, channels
) -> None:
    layer = data.draw(
        st.sampled_from(
            [
                nn.Conv2d(4, 6, kernel, stride, padding, dilation, groups=2),
                nn.MaxPool2d(kernel, data.draw(st.sampled_from([None, stride])), dilation=dilation),
                nn.MaxPool2d(kernel, stride, ceil_mode=True),
                nn.MaxPool2d(2, stride, padding=1),
                nn.Linear(5, 3),
            ]
        )
    )
    shape = (2, channels, *sides)
    try:
        expected = tuple(layer(torch.zeros(shape)).shape)
    except RuntimeError:
        with pytest.raises(ShapeError, match="cannot take"):
            output_shape(layer, shape)
    else:
        assert output_shape(layer, shape) == expected


def test_plain_sizes_need_none_of_torchs_compiler() -> None:
    code = (
        "import sys; from striate.models import create; create('striate_tiny', image_size=(30, 32)); "
        "sys.exit('sympy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
