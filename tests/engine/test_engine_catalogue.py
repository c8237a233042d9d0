"""The catalogue through the engine, against torch in float64, at a small input of each network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from engine_world import outside, program_of, relative_error
from families import smallest_of_each_family

from striate.capture import capture
from striate.graph.fold import fold_batch_norm
from striate.models import card, create, minimum_size

IN_SHORT = {"lenet5", "resnet18", "squeezenet1_1", "mobilenet_v2", "shufflenet_v2_x0_5"}
NETWORKS = [
    name if name in IN_SHORT else pytest.param(name, marks=pytest.mark.long)
    for name in smallest_of_each_family(most_parameters=30_000_000)
]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_answers_as_torch_does(name: str) -> None:
    """Within 1e-5, or four times the error of torch's own float32, of the answer in float64."""
    side = min(max(2 * minimum_size(name), 16), max(card(name).image_size))
    torch.manual_seed(0)
    module = create(name, image_size=side).eval()
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):  # else every norm would be the identity
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    x = torch.randn(2, card(name).channels, side, side)
    graph, weights = fold_batch_norm(*capture(module, x[:1]))
    program = program_of(graph, weights, threads=2)
    (found,) = program({next(iter(graph.inputs)): x.numpy()}, graph.outputs)
    with torch.no_grad():
        own = module(x).double().numpy()
        expected = module.double()(x.double()).numpy()
    assert relative_error(found, expected) <= max(1e-5, 4 * relative_error(own, expected))
    print(name, side, "outside:", sorted(set(outside(program.plan))))
    assert np.isfinite(found).all()
