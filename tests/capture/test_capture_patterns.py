"""Words made of several steps are recognised; what only looks like them is left as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from capture_world import Forward, agrees, words
from torch import Tensor, nn
from torch.nn import functional as F

from striate import ops
from striate.layers import RBF, MinPool2d, ScaledTanh, Subsampling

IMAGE = (2, 4, 8, 8)


def shuffle(s: Any, x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def shuffle_flat(s: Any, x: Tensor) -> Tensor:
    n, _c, h, w = x.shape
    return x.reshape(n, 2, 2, h * w).permute(0, 2, 1, 3).contiguous().view(n, -1, h, w)


def rearranged(s: Any, x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c * 2, h // 2, w)


def transposed_norm(s: Any, x: Tensor) -> Tensor:
    return F.layer_norm(x.permute(0, 2, 3, 1), (4,), s.a, s.b).permute(0, 3, 1, 2)


def wrongly_transposed_norm(s: Any, x: Tensor) -> Tensor:
    return F.layer_norm(x.permute(0, 3, 2, 1), (4,), s.a, s.b).permute(0, 3, 1, 2)


def response(s: Any, x: Tensor, dims: tuple[int, int] = (1, 2), mean: int = -1) -> Tensor:
    x = x.permute(0, 2, 3, 1)
    g = torch.norm(x, p=2, dim=dims, keepdim=True)
    return s.a * (x * (g / (g.mean(dim=mean, keepdim=True) + 1e-3))) + s.b + x


def response_first(s: Any, x: Tensor) -> Tensor:
    g = x.norm(p=2, dim=(2, 3), keepdim=True)
    return x + torch.addcmul(s.b.view(1, -1, 1, 1), s.a.view(1, -1, 1, 1), x * (g / (g.mean(1, True) + 1e-6)))


def local(s: Any, x: Tensor, pads: tuple[int, int] = (1, 1)) -> Tensor:
    squares = F.pad((x * x).unsqueeze(1), (0, 0, 0, 0, *pads))
    mean = F.avg_pool3d(squares, (3, 1, 1), 1).squeeze(1)
    return x / (mean * 0.5 + 2.0) ** 0.75


def distances(s: Any, x: Tensor) -> Tensor:
    return (x.mean((2, 3)).unsqueeze(1) - s.centres).pow(2).sum(dim=-1)


def distances_turned(s: Any, x: Tensor) -> Tensor:
    d = s.centres[None] - x.mean((2, 3))[:, None]
    return (d * d).sum(2)


RECOGNISED: dict[str, tuple[Callable[[Any, Any], Any], list[ops.Op]]] = {
    "minimum pool": (lambda s, x: -F.max_pool2d(-x, 3, 2, 1), [ops.MinPool2d(3, 2, 1)]),
    "minimum pool 1-d": (lambda s, x: -F.max_pool1d(-x.flatten(2), 2), [ops.Flatten(2), ops.MinPool1d(2)]),
    "shuffle": (shuffle, [ops.ChannelShuffle(2)]),
    "shuffle of flat maps": (
        shuffle_flat,
        [ops.Reshape((2, 2, 64)), ops.Permute((0, 2, 1, 3)), ops.Reshape((4, 8, 8))],
    ),
    "sigmoid gelu": (lambda s, x: x * torch.sigmoid(1.702 * x), [ops.GELU("sigmoid")]),
    "silu": (lambda s, x: torch.sigmoid(x) * x, [ops.SiLU()]),
    "hard swish": (lambda s, x: x * F.relu6(x + 3) / 6, [ops.HardSwish()]),
    "hard swish of a gate": (lambda s, x: x * (F.relu6(x + 3) / 6), [ops.HardSwish()]),
    "hard sigmoid": (lambda s, x: F.relu6(3 + x, inplace=True) / 6, [ops.HardSigmoid()]),
    "scale": (lambda s, x: s.a.view(1, -1, 1, 1) * x, [ops.Scale(4, bias=False)]),
    "scale and shift": (lambda s, x: x * s.a[:, None, None] + s.b.view(4, 1, 1), [ops.Scale(4)]),
    "scale, channels last": (
        lambda s, x: s.b + x.permute(0, 2, 3, 1) * s.a,
        [ops.Permute((0, 2, 3, 1)), ops.Scale(4, dim=-1)],
    ),
    "scale of vectors": (lambda s, x: x.mean((2, 3)) * s.a, [ops.Mean((2, 3)), ops.Scale(4, bias=False)]),
    "layer norm of channels": (transposed_norm, [ops.LayerNorm(4, dim=1)]),
    "local response": (local, [ops.LocalResponseNorm(3, 0.5, 0.75, 2.0)]),
    "global response": (response, [ops.Permute((0, 2, 3, 1)), ops.GlobalResponseNorm(4, 1e-3, dim=-1)]),
    "global response, channels first": (response_first, [ops.GlobalResponseNorm(4, 1e-6)]),
    "distances": (distances, [ops.Mean((2, 3)), ops.RBF(4, 3)]),
    "distances, turned": (distances_turned, [ops.Mean((2, 3)), ops.RBF(4, 3)]),
}

# Each differs from a pattern by one detail, and must not be taken for it.
LEFT_ALONE: dict[str, tuple[Callable[[Any, Any], Any], type[ops.Op]]] = {
    "minimum of an average": (lambda s, x: -F.avg_pool2d(-x, 2), ops.MinPool2d),
    "maximum of a negative": (lambda s, x: F.max_pool2d(-x, 2), ops.MinPool2d),
    "shuffle into another shape": (rearranged, ops.ChannelShuffle),
    "another gelu constant": (lambda s, x: x * torch.sigmoid(1.7 * x), ops.GELU),
    "gate of something else": (lambda s, x: x * torch.sigmoid(x + 1), ops.SiLU),
    "hard swish with 5": (lambda s, x: x * F.relu6(x + 3) / 5, ops.HardSwish),
    "hard sigmoid with 2": (lambda s, x: F.relu6(x + 2) / 6, ops.HardSigmoid),
    "hard gate of another tensor": (lambda s, x: (x + 1) * F.relu6(x + 3) / 6, ops.HardSwish),
    "factors of rows": (lambda s, x: x[:, :, :4] * s.a.view(1, 1, -1, 1), ops.Scale),
    "factors that enlarge": (lambda s, x: x[:, :1] * s.a.view(1, -1, 1, 1), ops.Scale),
    "norm of turned images": (wrongly_transposed_norm, ops.Scale),
    "local response off centre": (lambda s, x: local(s, x, (0, 2)), ops.LocalResponseNorm),
    "global response of one axis": (lambda s, x: response(s, x, (1, 3)), ops.GlobalResponseNorm),
    "global response of rows": (lambda s, x: response(s, x, mean=1), ops.GlobalResponseNorm),
    "distances to the fourth": (
        lambda s, x: (x.mean((2, 3)).unsqueeze(1) - s.centres).pow(4).sum(-1),
        ops.RBF,
    ),
    "sums over centres": (lambda s, x: (x.mean((2, 3)).unsqueeze(1) - s.centres).pow(2).sum(1), ops.RBF),
}


def module(function: Callable[[Any, Any], Any]) -> nn.Module:
    torch.manual_seed(0)
    made = Forward(function)
    for name, shape in {"a": (4,), "b": (4,), "centres": (3, 4)}.items():
        made.register_parameter(name, nn.Parameter(torch.randn(shape)))
    return made


@pytest.mark.parametrize("name", RECOGNISED)
def test_recognised(name: str) -> None:
    function, expected = RECOGNISED[name]
    assert [node.op for node in agrees(module(function), *IMAGE)] == expected


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_left_alone(name: str) -> None:
    function, word = LEFT_ALONE[name]
    assert not any(isinstance(node.op, word) for node in agrees(module(function), *IMAGE))


def test_steps_that_are_read_elsewhere_stay() -> None:
    def forward(s: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        gate = torch.sigmoid(x)
        return x * gate, gate

    assert words(agrees(module(forward), *IMAGE)) == ["Sigmoid", "SiLU"]


def test_our_own_layers_are_single_words() -> None:
    net = nn.Sequential(MinPool2d(2), Subsampling(4), nn.Flatten(), RBF(torch.randn(3, 16)))
    graph = agrees(net, *IMAGE)
    assert words(graph) == ["MinPool2d", "AvgPool2d", "Scale", "Flatten", "RBF"]
    assert [node.name for node in graph] == ["0", "1.pool", "1.scale", "2", "3"]
    assert dict(graph["1.scale"].weights) == {"weight": "1.weight", "bias": "1.bias"}
    assert words(agrees(ScaledTanh(), 2, 3))[-1] == "Multiply"


def test_minimum_pool_with_indices() -> None:
    graph = agrees(MinPool2d(3, 2, 1, return_indices=True), *IMAGE)
    assert [node.op for node in graph] == [ops.MinPool2d(3, 2, 1, return_indices=True)]
    assert graph.outputs == ("min_pool2d", "min_pool2d:1")


def test_minimum_pool_whose_negative_is_read_too() -> None:
    def forward(s: Any, x: Tensor) -> tuple[Tensor, ...]:
        values, indices = F.max_pool2d_with_indices(-x, 2)
        return -values, values, indices

    assert words(agrees(module(forward), *IMAGE)) == ["Negate", "MaxPool2d", "Negate"]


def test_reflected_padding_of_another_module_stays_a_word() -> None:
    net = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(4, 4, 3))
    assert words(agrees(net, *IMAGE)) == ["Pad", "Conv2d"]
