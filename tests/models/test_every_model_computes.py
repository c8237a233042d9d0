"""Every network computes: it learns, alone and under DDP, answers alike however asked, and is exported.

`make test` takes the smallest network of each paper, the long tier the others. What needs no values, only
shapes and names, stands in test_every_model.py.
"""

import copy
from fnmatch import fnmatch
from typing import NamedTuple

import pytest
import torch
from families import LONGEST, long_except, smallest_of_each_family
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from striate.layers.auxiliary import cross_entropy
from striate.models import card, create, minimum_size

SMALLEST = smallest_of_each_family(50_000_000, both_forms=False)  # AlexNet and VGG are for the long tier
EXPORTED = {"lenet5_1998", "resnet20_cifar", "shufflenet_v2_x0_5_cifar", "squeezenet_cifar", "neocognitron"}


class Built(NamedTuple):
    """A network for images of ``side`` pixels, whose weights seed 0 has drawn."""

    name: str
    side: int
    module: nn.Module

    def images(self, count):
        generator = torch.Generator().manual_seed(0)
        return torch.randn(count, card(self.name).channels, self.side, self.side, generator=generator)

    def labels(self):
        return torch.arange(4) % card(self.name).classes

    def copy(self):
        return copy.deepcopy(self.module).train()


def build(name, side):
    torch.manual_seed(0)
    return create(name, image_size=side).eval()


def side_to_compute_at(name):
    """Twice the smallest, and not so small that the first windows see more margin than image."""
    side = max(2 * minimum_size(name), 16)
    if name not in SMALLEST:  # batch norm over single pixels, block after block, blows gradients up
        side = max(side, 64)
    return min(side, max(card(name).image_size))


@pytest.fixture(scope="module", params=long_except(set(SMALLEST) - LONGEST))
def built(request):
    """Built once for all tests that compute; those that change it take a copy."""
    side = side_to_compute_at(request.param)
    return Built(request.param, side, build(request.param, side))


def alike(found, expected):
    """To 1e-4 of the largest score: an untrained network may answer in billions."""
    return (found - expected).abs().max() <= 1e-4 * (1 + expected.abs().max())


def test_three_steps_reach_every_parameter(built):
    module = built.copy()
    optimiser = torch.optim.SGD(module.parameters(), lr=1e-3)
    images, labels = built.images(4), built.labels()
    reached = set()
    torch.manual_seed(0)
    for _ in range(3):
        optimiser.zero_grad()
        cross_entropy(module(images), labels).backward()
        for path, parameter in module.named_parameters():
            if parameter.grad is not None:
                assert parameter.grad.isfinite().all(), path
                reached |= {path} if parameter.grad.any() else set()
        optimiser.step()
    missed = {path for path, _ in module.named_parameters()} - reached
    explained = card(built.name).no_gradient
    assert not {path for path in missed if not any(fnmatch(path, pattern) for pattern in explained)}


@pytest.fixture(scope="module")
def process_group(tmp_path_factory):
    """A group of one process: DDP does with it all that it does with many."""
    meeting = tmp_path_factory.mktemp("group") / "meeting"
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("process_group")
def test_ddp_trains_it_without_looking_for_unused_parameters(built):
    """The same gradients and statistics, and a second step, which DDP refuses while a gradient is missing."""
    alone, parallel = built.copy(), DistributedDataParallel(built.copy())
    images, labels = built.images(4), built.labels()
    for module in (alone, parallel):
        torch.manual_seed(0)
        cross_entropy(module(images), labels).backward()
    for (path, parameter), other in zip(alone.named_parameters(), parallel.parameters(), strict=True):
        assert torch.equal(parameter.grad, other.grad), path
    for (path, buffer), other in zip(alone.named_buffers(), parallel.buffers(), strict=True):
        assert torch.equal(buffer, other), path
    torch.optim.SGD(parallel.parameters(), lr=1e-3).step()
    parallel(images)


def test_one_image_is_answered_alone_as_in_a_batch(built):
    """In float64: untrained, each residual block doubles what it is given, and ResNet-1202 has 600."""
    images, module = built.images(2).double(), built.copy().double().eval()
    with torch.no_grad():
        together, alone = module(images), module(images[:1])
    assert alone.shape == (1, card(built.name).classes)
    assert alike(together[:1], alone)


def test_the_same_seed_builds_the_same_network(built):
    again = build(built.name, built.side).state_dict()
    assert all(torch.equal(tensor, again[path]) for path, tensor in built.module.state_dict().items())


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] * (name not in EXPORTED)) for name in SMALLEST]
)
def test_what_is_exported_answers_any_batch_alike(name):
    """That torch.export accepts all networks, with any batch, is seen where they are captured: tests/every.

    A paper's modules are the same at all its sizes: one of each is asked for values.
    """
    side = side_to_compute_at(name)
    built = Built(name, side, build(name, side))
    batch = {0: torch.export.Dim("N")}
    program = torch.export.export(built.module, (built.images(2),), dynamic_shapes=(batch,))
    five = built.images(5)
    with torch.no_grad():
        assert alike(program.module()(five), built.module(five))
