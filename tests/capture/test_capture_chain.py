"""Chains of plain layers read part by part: what torch.export would have told, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from striate import models
from striate.capture import capture
from striate.capture.chain import READERS, chained
from striate.capture.program import as_tensors, export
from striate.capture.reading import Reading
from striate.errors import ArgumentError, ShapeError
from striate.graph.store import graph_to_json
from striate.sketch import named_graph, recognise

CHAINS: dict[str, Callable[[], nn.Module]] = {
    "tiny": lambda: models.create("striate_tiny"),
    "base": lambda: models.create("striate_base", classes=3),
    "pools": lambda: nn.Sequential(
        nn.Conv2d(1, 4, (3, 2), stride=(1, 2), padding=(0, 1), dilation=(2, 1)),
        nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
        nn.Sequential(nn.BatchNorm2d(4, affine=False), nn.Identity(), nn.ReLU(inplace=True), nn.Dropout(0.3)),
        nn.MaxPool2d((2, 1), stride=1, padding=(1, 0), ceil_mode=True),
        nn.Conv2d(4, 6, 1, groups=2, bias=False),
        nn.Flatten(2),
        nn.Flatten(),
        nn.Linear(6 * 14 * 8, 5),
        nn.BatchNorm1d(5, eps=0.1),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(5, 2, bias=False),
    ),
    "activations": lambda: nn.Sequential(
        *(nn.LeakyReLU(0.2), nn.GELU("tanh"), nn.SiLU(), nn.Sigmoid(), nn.Tanh(), nn.ReLU(), nn.GELU()),
        nn.AvgPool2d(2, divisor_override=3),
    ),
}


def exported(module: nn.Module, example: tuple[Tensor, ...]):
    sketch = Reading(module, export(module, example, dynamic_batch=True)).read()
    recognise(sketch)
    return named_graph(sketch)


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_is_read_as_its_exported_program_is(name: str) -> None:
    torch.manual_seed(0)
    module = CHAINS[name]().to(memory_format=torch.channels_last)
    example = as_tensors(module, (1, 1, 28, 28))
    sketch = chained(module, example)
    assert sketch is not None
    graph, weights = capture(module, (1, 1, 28, 28))
    theirs, their_weights = exported(module, example)
    assert graph_to_json(graph) == graph_to_json(theirs)
    assert list(weights) == list(their_weights)
    assert all(np.array_equal(weights[key], their_weights[key]) for key in weights)
    assert sketch.shapes == Reading(module, export(module, example, dynamic_batch=True)).read().shapes
    assert module.training


def test_every_layer_that_is_read_so_is_in_a_chain_above() -> None:
    seen = {type(part) for build in CHAINS.values() for part in build().modules()}
    assert set(READERS) <= seen


class Doubled(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def hooked() -> nn.Module:
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    module[1].register_forward_hook(lambda part, given, answer: 2 * answer)
    return module


def shared() -> nn.Module:
    layer = nn.Linear(64, 64)
    return nn.Sequential(nn.Flatten(), layer, layer)


def tied() -> nn.Module:
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Linear(64, 64))
    module[2].weight = module[1].weight
    return module


def overwritten() -> nn.Module:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    usual = module[0]._conv_forward
    module[0]._conv_forward = lambda x, weight, bias: usual(2 * x, weight, bias)
    return module


OTHERS: dict[str, Callable[[], nn.Module]] = {
    "a forward of its own": lambda: Doubled(nn.Flatten(), nn.Linear(64, 2)),
    "a part with a forward of its own": lambda: nn.Sequential(Doubled(nn.Conv2d(1, 2, 3)), nn.ReLU()),
    "a hook": hooked,
    "a part used twice": shared,
    "tied tensors": tied,
    "a forward that was replaced": overwritten,
    "a parametrised weight": lambda: nn.Sequential(
        nn.Flatten(), parametrizations.weight_norm(nn.Linear(64, 2))
    ),
    "a layer without a reader": lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Softplus()),
    "padding that is not zeros": lambda: nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect")),
    "the input overwritten": lambda: nn.Sequential(nn.ReLU(inplace=True)),
    "no layer": lambda: nn.Sequential(),
    "no sequence": lambda: nn.Conv2d(1, 2, 3),
    "no statistics": lambda: nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False)),
    "batch joined": lambda: nn.Sequential(nn.Flatten(0)),
    "indices": lambda: nn.Sequential(nn.MaxPool2d(2, return_indices=True)),
    "an image that does not fit": lambda: nn.Sequential(nn.Flatten(), nn.Linear(63, 2)),
}


@pytest.mark.parametrize("why", OTHERS)
def test_what_is_no_plain_chain_is_left_to_the_export(why: str) -> None:
    module = OTHERS[why]()
    example = torch.rand(2, 1, 8, 8)
    before = example.clone()
    assert chained(module, (example,)) is None
    assert torch.equal(example, before)


def test_an_image_that_does_not_fit_is_refused_as_ever() -> None:
    with pytest.raises(ShapeError, match="layer '1' fails"):
        capture(OTHERS["an image that does not fit"](), (1, 1, 8, 8))


def test_the_example_stays_what_it_was() -> None:
    example = torch.randn(2, 1, 8, 8)
    before = example.clone()
    assert chained(nn.Sequential(nn.Dropout(), nn.Conv2d(1, 1, 1), nn.ReLU(inplace=True)), (example,))
    assert torch.equal(example, before)


def test_a_chain_needs_none_of_torchs_compiler() -> None:
    code = (
        "import sys; from striate import models; from striate.capture import capture; "
        "capture(models.create('striate_tiny'), (1, 1, 28, 28)); sys.exit('torch._dynamo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_array_is_an_example(dtype: type) -> None:
    module = nn.Conv2d(1, 2, 3)
    (tensor,) = as_tensors(module, np.zeros((2, 1, 5, 5), dtype))
    assert tensor.shape == (2, 1, 5, 5) and tensor.dtype == torch.float32


@pytest.mark.parametrize(
    "example",
    [None, 5, "1x1x5x5", (), (True, 1, 5, 5), (1, 1, 5.5, 5), np.array(["a"]), np.zeros((0, 1, 5, 5))],
)
def test_what_is_no_example_is_a_sentence(example: object) -> None:
    with pytest.raises(ArgumentError, match="example must be a tensor or an array of at least one image"):
        as_tensors(nn.Conv2d(1, 2, 3), example)
