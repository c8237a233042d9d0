"""Recomputed activations: the same numbers, the same statistics, less kept."""

import copy

import pytest
import torch
from families import long_except
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F

from striate.layers.auxiliary import cross_entropy
from striate.models import card, create, minimum_size
from striate.models.checkpoint import recompute

QUICK = [
    "resnet20_cifar",
    "densenet_bc100_12_cifar",
    "convnext_atto",
    "shufflenet_v2_x0_5_cifar",
    "striate_small",
]


def trained_once(network, batch, **layout):
    """Buffers after one pass in each direction, and all gradients; dropout as seed 1 draws it.

    The network then has the buffers that it had before: copies of the largest would be gigabytes.
    """
    before = {name: tensor.clone() for name, tensor in network.named_buffers()}
    torch.manual_seed(1)
    labels = torch.arange(len(batch)) % 3
    cross_entropy(network(batch.to(**layout)), labels).backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    after = {name: tensor.clone() for name, tensor in network.named_buffers()}
    network.zero_grad()
    network.load_state_dict(before, strict=False)
    return after, gradients


DEEPEST = {"preact_resnet1001_cifar": 1e-9}  # rounding grows over 333 blocks: 1.6e-10 was seen


def same(gradient, other, largest, share=1e-10):
    """To ``share`` of its largest value, or both nothing but rounding, as a bias before batch norm."""
    if gradient is None or other is None:
        return gradient is other
    difference = float((gradient - other).abs().max())
    return difference < max(share * float(gradient.abs().max()), 1e-14 * largest)


@pytest.mark.parametrize("name", long_except(QUICK))
def test_gradients_are_the_same_recomputed_and_channels_last(name):
    # batch norm over a handful of values magnifies rounding: maps must not shrink to a pixel
    side = min(max(2 * minimum_size(name), 64), max(card(name).image_size))
    torch.manual_seed(0)
    network = create(name, image_size=side).double().train()
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0  # over maps, torch draws in the order of memory; what is recomputed is tested below
    batch = torch.randn(4, card(name).channels, side, side, dtype=torch.float64)
    buffers, gradients = trained_once(network, batch)
    assert any(gradient.any() for gradient in gradients.values() if gradient is not None)
    share = DEEPEST.get(name, 1e-10)
    largest = max(float(gradient.abs().max()) for gradient in gradients.values() if gradient is not None)
    for change, layout in ((_channels_last, torch.channels_last), (recompute, torch.contiguous_format)):
        network = change(network.to(memory_format=torch.contiguous_format))
        other_buffers, other_gradients = trained_once(network, batch, memory_format=layout)
        assert list(other_buffers) == list(buffers)
        for path, gradient in gradients.items():
            assert same(gradient, other_gradients[path], largest, share), path
        for path, tensor in buffers.items():
            # means of almost 0 are nothing but rounding
            assert same(tensor, other_buffers[path], 1.0, share), path


def _channels_last(network):
    return network.to(memory_format=torch.channels_last)


class Kept(saved_tensors_hooks):
    """Counts the bytes that the backward pass keeps outside of recomputed blocks."""

    def __init__(self):
        self.bytes = 0
        super().__init__(self.count, lambda tensor: tensor)

    def count(self, tensor):
        self.bytes += tensor.numel() * tensor.element_size()
        return tensor


@pytest.mark.parametrize("name", ["resnet20_cifar", "densenet_bc100_12_cifar", "striate_small"])
def test_less_is_kept(name):
    batch = torch.randn(2, card(name).channels, *card(name).image_size)

    def bytes_kept(**how):
        torch.manual_seed(0)
        with (hooks := Kept()):
            create(name, **how)(batch)
        return hooks.bytes

    assert bytes_kept(checkpoint=True) < bytes_kept() / 2


def test_statistics_move_once_a_step_and_dropout_repeats_its_draw():
    torch.manual_seed(0)
    block = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.ReLU())
    network = recompute(nn.Sequential(block, nn.Sequential(nn.Flatten(), nn.Linear(16, 2)))).train()
    plain = nn.Sequential(copy.deepcopy(block), copy.deepcopy(network[1]))
    plain.load_state_dict(network.state_dict())
    batch = torch.randn(3, 1, 4, 4)
    buffers = dict(network.named_buffers())
    for module in (network, plain):
        torch.manual_seed(5)
        module(batch).square().sum().backward()
    assert block[1].num_batches_tracked == 1
    for (path, tensor), other in zip(network.state_dict().items(), plain.state_dict().values(), strict=True):
        assert torch.equal(tensor, other), path
    for parameter, other in zip(network.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(parameter.grad, other.grad, atol=1e-6)
    assert all(buffer is buffers[path] for path, buffer in network.named_buffers())


def test_only_training_is_recomputed():
    calls = []
    network = create("resnet20_cifar", checkpoint=True)
    network.layer1[0].conv1.register_forward_hook(lambda *_: calls.append(1))
    batch = torch.randn(2, 3, 32, 32)
    network.eval()(batch).sum().backward()
    assert len(calls) == 1
    with torch.no_grad():
        network.train()(batch)
    assert len(calls) == 2
    network(batch).sum().backward()
    assert len(calls) == 4


def test_names_and_copies_stay_what_they_are():
    plain, again = create("vgg11_bn_cifar"), create("vgg11_bn_cifar", checkpoint=True)
    assert list(plain.state_dict()) == list(again.state_dict()) and repr(plain) == repr(again)
    twin = copy.deepcopy(again).train()
    F.cross_entropy(twin(torch.randn(2, 3, 32, 32)), torch.tensor([0, 1])).backward()
    assert all(parameter.grad is None for parameter in again.parameters())
    assert all(parameter.grad is not None for parameter in twin.parameters())
    kinds = [type(module) for module in again.modules()]
    assert [type(module) for module in recompute(again).modules()] == kinds
