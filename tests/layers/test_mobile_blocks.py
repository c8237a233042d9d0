"""The blocks of mobile networks: widths, padding, shortcuts, gates, chance."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from striate.layers import (
    ConvNorm,
    DepthwiseSeparable,
    EdgeResidual,
    InvertedResidual,
    MBConv,
    Residual,
    SameConv2d,
    SqueezeExcite,
    StochasticDepth,
    Style,
    he_normal_,
    make_divisible,
    same_convolution,
)

STYLE = Style()


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (1, 8),
        (11, 16),
        (12, 16),
        (32 * 0.75, 24),
        (83, 80),
        (84, 88),
        (89, 88),
        (90, 88),
        (91.2, 88),
        (92, 96),
    ],
)
def test_widths_are_the_nearest_multiples_and_never_a_tenth_less(asked, given):
    assert make_divisible(asked) == given
    assert given % 8 == 0 and given >= 0.9 * asked


def test_the_divisor_and_the_least_share_are_free():
    assert make_divisible(17.6, least_share=0.0) == 16 and make_divisible(18.0, 4) == 20
    assert make_divisible(52.8, least_share=0.0) == 56


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [(1, 1), (5, 8), (7, 6)])
def test_tensorflows_padding_gives_a_map_for_each_stride_begun(kernel, stride, size):
    conv = SameConv2d(2, 3, kernel, stride)
    result = conv(torch.randn(1, 2, *size))
    assert result.shape[2:] == tuple(math.ceil(side / stride) for side in size)


def test_tensorflows_odd_pixel_stands_at_the_lower_right():
    conv = SameConv2d(1, 1, 3, 2)
    nn.init.ones_(conv.weight)
    image = torch.zeros(1, 1, 4, 4)
    image[0, 0, 0, 0] = 1
    assert conv(image).flatten().tolist() == [1, 0, 0, 0]
    image[0, 0, 2, 2] = 1  # between two windows: both of each axis see it
    assert conv(image).flatten().tolist() == [2, 1, 1, 1]


def test_tensorflows_padding_is_the_symmetric_one_at_stride_one():
    same, centred = same_convolution(2, 3, 5), STYLE.convolution(2, 3, 5)
    centred.load_state_dict(same.state_dict())
    x = torch.randn(1, 2, 9, 6)
    assert torch.allclose(same(x), centred(x), atol=1e-6)


def test_stochastic_depth_drops_whole_images_and_keeps_the_mean():
    torch.manual_seed(0)
    layer, x = StochasticDepth(0.25), torch.ones(4000, 2, 3)
    result = layer(x)
    values = result[:, 0, 0]
    assert torch.equal(result, values[:, None, None].expand_as(x))
    assert {round(value, 5) for value in values.tolist()} == {0.0, round(1 / 0.75, 5)}
    assert abs(values.mean() - 1) < 0.05
    assert layer.eval()(x) is x and StochasticDepth(0.0)(x) is x


def test_a_shortcut_is_there_where_nothing_changes_size():
    x = torch.randn(2, 8, 6, 6)
    for build in (
        lambda out, stride: MBConv(8, 16, out, 3, stride, style=STYLE),
        lambda out, stride: InvertedResidual(8, out, 3, stride, 2, style=STYLE),
        lambda out, stride: EdgeResidual(8, out, 3, stride, 2, style=STYLE),
        lambda out, stride: DepthwiseSeparable(8, out, 3, stride, style=STYLE, activate=False),
    ):
        with_shortcut = build(8, 1).eval()
        assert torch.allclose(with_shortcut(x) - x, nn.Sequential.forward(with_shortcut, x), atol=1e-6)
        for out, stride in ((8, 2), (4, 1)):
            block = build(out, stride).eval()
            assert torch.equal(block(x), nn.Sequential.forward(block, x))
            assert block(x).shape == (2, out, 6 // stride, 6 // stride)
    assert not DepthwiseSeparable(8, 8, 3, 1, style=STYLE, activate=True).skip


def test_a_dropped_branch_leaves_the_shortcut():
    torch.manual_seed(0)
    block, x = Residual({"part": nn.Conv2d(1, 1, 1)}, skip=True, drop=0.999), torch.randn(3, 1, 2, 2)
    assert torch.equal(block(x), x)
    assert not torch.equal(block.eval()(x), x)
    assert "stochastic_depth" not in dict(Residual({}, skip=False, drop=0.5).named_children())


def test_an_expansion_of_one_needs_no_first_convolution():
    assert len(MBConv(8, 8, 8, 3, 1, style=STYLE).block) == 2
    assert len(MBConv(8, 16, 8, 3, 1, style=STYLE, excite=SqueezeExcite(16, 4)).block) == 4


@pytest.mark.parametrize("names", [("fc1", "fc2"), ("conv_reduce", "conv_expand")])
def test_a_gate_scales_each_map_by_what_all_maps_mean(names):
    layer, x = SqueezeExcite(6, 3, nn.SiLU, nn.Hardsigmoid, names), torch.randn(2, 6, 4, 5)
    reduce, expand = (layer.get_submodule(name) for name in names)
    mean = x.mean((2, 3))
    hidden = F.silu(F.linear(mean, reduce.weight.flatten(1), reduce.bias))
    gate = F.hardsigmoid(F.linear(hidden, expand.weight.flatten(1), expand.bias))
    assert torch.allclose(layer(x), x * gate[:, :, None, None], atol=1e-6)


def test_a_unit_without_activation_ends_with_the_norm():
    assert [type(part) for part in ConvNorm(2, 4, style=STYLE)] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    assert [type(part) for part in ConvNorm(2, 4, style=STYLE, activate=False)] == [nn.Conv2d, nn.BatchNorm2d]


@pytest.mark.parametrize(("grouped", "fan_out"), [(True, 9), (False, 9 * 4000)])
def test_depthwise_weights_start_by_the_fan_out_of_a_group_or_of_all(grouped, fan_out):
    torch.manual_seed(0)
    conv = nn.Conv2d(4000, 4000, 3, groups=4000)
    he_normal_(nn.Sequential(conv), grouped=grouped)
    assert conv.weight.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.02)
    assert not conv.bias.any()
