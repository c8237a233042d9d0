"""Compare a captured network with the module it was captured from."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from striate.arithmetic.whole import graph_shapes
from striate.capture import capture
from striate.graph import Graph
from striate.reference.run import run


class Forward(nn.Module):
    """A module from a function of (module, *inputs) and the parts it uses."""

    def __init__(self, function: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def randomised(module: nn.Module) -> nn.Module:
    """Parameters and running statistics away from their neutral start, in float64."""
    generator = torch.Generator().manual_seed(3)
    module = module.double()
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype) * 0.5)
            if name.endswith("running_var"):
                tensor.abs_().add_(0.1)
    return module


def agrees(module: nn.Module, *shape: int, positive: bool = False) -> Graph:
    """The captured graph, once its values and predicted shapes are the module's for 3 images."""
    module = randomised(copy.deepcopy(module))
    graph, weights = capture(module, shape)
    batch = 3 if next(iter(graph.inputs.values()))[0] == "N" else shape[0]
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(batch, *shape[1:], generator=generator, dtype=torch.float64)
    x = x.abs() + 0.1 if positive else x
    module.eval()
    with torch.no_grad():
        expected = module(x.clone())
    leaves = [expected] if isinstance(expected, Tensor) else list(expected)
    kept: dict[str, np.ndarray] = {}
    found = run(graph, weights, x.numpy(), keep=kept)
    pairs = zip(leaves, found if isinstance(found, tuple) else [found], strict=True)
    for a, b in pairs:
        assert tuple(b.shape) == tuple(a.shape)
        np.testing.assert_allclose(b, a.numpy(), rtol=1e-9, atol=1e-9)
    for name, predicted in graph_shapes(graph).items():
        if name in kept:
            assert kept[name].shape == tuple(batch if size == "N" else size for size in predicted), name
    assert set(weights) == set(graph.tensor_names())
    return graph


def words(graph: Graph) -> list[str]:
    return [type(node.op).__name__ for node in graph]
