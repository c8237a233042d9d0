"""Weights start as each paper, or the source that its file names, says: distribution, deviation, biases."""

from fnmatch import fnmatch
from math import sqrt

import pytest
import torch
from families import smallest_of_each_family
from torch import nn

from striate.models import card, create

CUT = 0.8796256610342398  # deviation of a normal distribution that is cut at twice its own


def fan_in(weight):
    return weight[0].numel()


def fan_out(weight):
    return weight.shape[0] * weight[0, 0].numel()


def normal(deviation):
    return lambda weight, groups: (deviation, 7 * deviation)


def cut_at_two(deviation):
    return lambda weight, groups: (CUT * deviation, 2 * deviation)


def uniform(bound):
    return lambda weight, groups: (bound(weight) / sqrt(3), bound(weight))


def one_over_inputs(weight, groups):
    return 1 / weight.shape[1], 7 / weight.shape[1]


def he(fan, per_group=False):
    """A normal distribution of variance 2 / n: He et al. 2015, arXiv 1502.01852, equations 10 and 14."""

    def expected(weight, groups):
        deviation = sqrt(2 * (groups if per_group else 1) / fan(weight))
        return deviation, 7 * deviation

    return expected


HE_IN, HE_OUT, HE_OUT_OF_GROUP = he(fan_in), he(fan_out), he(fan_out, per_group=True)
TORCH = uniform(lambda weight: 1 / sqrt(fan_in(weight)))  # torch.nn's convolutions and linear layers
LECUN = uniform(
    lambda weight: 2.4 / fan_in(weight)
)  # LeCun et al. 1998, "Gradient-based learning", appendix A
CLASSES = uniform(lambda weight: 1 / sqrt(len(weight)))  # TensorFlow's EfficientNet
SIGMOID = uniform(lambda weight: sqrt(3 / fan_out(weight)))  # torchvision's MNASNet
XAVIER = uniform(lambda weight: sqrt(3 / fan_in(weight)))  # Caffe's "xavier"
HE_UNIFORM = uniform(lambda weight: sqrt(6 / fan_in(weight)))

# fmt: off
STARTS = {  # network: rows of layers, distribution, bias (None: any); the first that fits counts
    "alexnet_two_tower": [("conv[13]", normal(0.01), 0), ("fc8", normal(0.01), 0), ("*", normal(0.01), 1)],
    "alexnet_cifar": [("*", TORCH, None)],
    "convnext_tiny": [("*", normal(0.02), 0)],
    "convnext_atto": [("*", normal(0.02), 0)],
    "convnextv2_atto": [("*", normal(0.02), 0)],
    "densenet40_12_cifar": [("classifier", TORCH, 0), ("*", HE_IN, None)],
    "efficientnet_b0": [("classifier.*", CLASSES, 0), ("*", HE_OUT, 0)],
    "efficientnet_lite0": [("classifier", CLASSES, 0), ("*", HE_OUT_OF_GROUP, 0)],
    "efficientnet_v2_b0": [("classifier", CLASSES, 0), ("*", HE_OUT_OF_GROUP, 0)],
    "efficientnet_v2_s": [("classifier.*", CLASSES, 0), ("*", HE_OUT, 0)],
    "ghostnet_050": [("*", TORCH, None)],
    "googlenet": [("*", normal(0.01), None)],
    "googlenet_2014": [("fc", XAVIER, 0), ("*", XAVIER, 0.2)],
    "googlenet_cifar": [("*", TORCH, None)],
    "inception_v3": [("*", normal(0.1), None)],
    "inception_v4": [("*", TORCH, None)],
    "lenet1": [("h[24]", None, None), ("*", LECUN, None)],
    "lenet4": [("s[24]", None, None), ("*", LECUN, None)],
    "lenet5_1998": [("s[24]", None, None), ("*", LECUN, None)],
    "mnasnet0_5": [("classifier.*", SIGMOID, 0), ("*", HE_OUT, None)],
    "mobilenet_v1_025": [("*", cut_at_two(0.09), 0)],
    "mobilenet_v2": [("classifier.*", normal(0.01), 0), ("*", HE_OUT, None)],
    "mobilenet_v3_small": [("classifier.*", normal(0.01), 0), ("*", HE_OUT, 0)],
    "mobilenetv4_conv_small": [("classifier", CLASSES, 0), ("*", HE_OUT_OF_GROUP, 0)],
    "preact_resnet20_cifar": [("fc", TORCH, None), ("*", HE_OUT, None)],
    "resnet18": [("fc", TORCH, None), ("*", HE_OUT, None)],
    "resnet20_cifar": [("linear", TORCH, None), ("*", HE_IN, None)],
    "resnet50d": [("fc", TORCH, None), ("*", HE_OUT, None)],
    "resnext50_32x4d": [("fc", TORCH, None), ("*", HE_OUT, None)],
    "seresnet20_cifar": [("linear", TORCH, None), ("*", HE_IN, 0)],
    "shufflenet_v1_g3_cifar": [("conv1.0", normal(0.01), None), ("fc", normal(0.01), 0),
                               ("*", one_over_inputs, None)],
    "shufflenet_v2_x0_5": [("*", TORCH, None)],
    "squeezenet1_1": [("classifier.*", normal(0.01), 0), ("*", HE_UNIFORM, 0)],
    "squeezenet_cifar": [("*", TORCH, None)],
    "vgg11_bn_cifar": [("*", TORCH, None)],
    "vgg11": [("classifier.*", normal(0.01), 0), ("*", HE_OUT, 0)],
    "wrn40_4_cifar": [("fc", TORCH, None), ("*", HE_OUT, None)],
}
# fmt: on
LARGE = {name for name in STARTS if card(name).parameters > 6_000_000}  # seconds to draw, all together


def weighted(network):
    for path, layer in network.named_modules():
        weight = getattr(layer, "weight", None)
        if isinstance(weight, nn.Parameter) and weight.dim() > 1:
            yield path, layer, weight.detach()


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.long] * (n in LARGE)) for n in STARTS])
def test_weights_start_as_their_source_says(name):
    """Mean and deviation to six standard errors of a sample of that size; no weight beyond the bound."""
    torch.manual_seed(0)
    for path, layer, weight in weighted(create(name)):
        _, expected, bias = next(row for row in STARTS[name] if fnmatch(path, row[0]))
        if bias is not None and getattr(layer, "bias", None) is not None:
            assert (layer.bias == bias).all(), path
        if expected is None:  # trained coefficients of subsampling, one a map: tests of LeNet
            continue
        deviation, bound = expected(weight, getattr(layer, "groups", 1))
        count = weight.numel()
        assert weight.abs().max() <= bound * (1 + 1e-6), path
        assert abs(weight.mean()) < 6 * deviation / sqrt(count), path
        assert abs(weight.square().mean().sqrt() / deviation - 1) < 6 / sqrt(2 * count), path


def test_every_paper_with_weights_to_learn_stands_here():
    papers = {card(name).paper for name in STARTS}
    own = {name for name in smallest_of_each_family() if name.startswith("striate")}
    without = {"simple_complex_cells", "neocognitron"}  # cells are fixed, or learn by their own rule
    others = set(smallest_of_each_family()) - own - without
    assert not {name for name in others if card(name).paper not in papers}
