"""Names in a captured graph are the module's own, and so are its tensors; sources are the user's lines."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import torch
from capture_world import Forward, agrees, words
from torch import Tensor, nn
from torch.nn import functional as F

from striate.capture import capture


class Block(nn.Module):
    """The residual block of He et al. 2015, with one ReLU used twice, in place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.conv2(out)
        out += x
        return self.relu(out)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        self.layer1 = nn.Sequential(Block(4), Block(4))
        self.fc = nn.Linear(4, 2)

    def forward(self, image: Tensor) -> Tensor:
        x = self.layer1(self.stem(image))
        x = F.relu(x.mean((2, 3)))
        return self.fc(x)


def line_of(function: Any, text: str) -> int:
    lines, first = inspect.getsourcelines(function)
    return first + next(index for index, line in enumerate(lines) if text in line)


def test_names_are_module_paths() -> None:
    graph = agrees(Net(), 2, 3, 6, 6)
    block = ["conv1", "bn1", "relu", "conv2", "add", "relu#2"]
    assert [node.name for node in graph] == [
        *("stem.0", "stem.1"),
        *(f"layer1.0.{name}" for name in block),
        *(f"layer1.1.{name}" for name in block),
        *("mean", "relu", "fc"),
    ]
    assert graph["layer1.0.add"].inputs == ("layer1.0.conv2", "stem.1")
    assert list(graph.inputs) == ["image"]
    assert graph.outputs == ("fc",)


def test_tensors_have_the_names_of_the_state_dict() -> None:
    net = Net()
    graph, weights = capture(net, (1, 3, 6, 6))
    state = {name: tensor for name, tensor in net.state_dict().items() if "num_batches" not in name}
    assert set(weights) == set(state)
    assert all(np.array_equal(weights[name], state[name]) for name in state)
    assert dict(graph["layer1.1.conv2"].weights) == {
        "weight": "layer1.1.conv2.weight",
        "bias": "layer1.1.conv2.bias",
    }
    assert dict(graph["layer1.0.bn1"].weights) == {
        role: f"layer1.0.bn1.{role}" for role in ("weight", "bias", "running_mean", "running_var")
    }


def test_tensors_are_copies() -> None:
    net = nn.Linear(2, 2)
    _, weights = capture(net, (1, 2))
    before = weights["weight"].copy()
    with torch.no_grad():
        net.weight.add_(1)
    assert np.array_equal(weights["weight"], before)


def test_sources_are_the_lines_that_called() -> None:
    graph, _ = capture(Net(), (1, 3, 6, 6))
    file = Path(__file__).relative_to(Path.cwd()).as_posix()
    assert graph["layer1.0.conv1"].source == f"{file}:{line_of(Block.forward, 'self.conv1(x)')}"
    assert graph["layer1.0.add"].source == f"{file}:{line_of(Block.forward, 'out += x')}"
    assert graph["mean"].source == f"{file}:{line_of(Net.forward, 'x.mean')}"


def test_a_module_called_twice_keeps_its_tensors_once() -> None:
    shared = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Tanh())
    graph = agrees(Forward(lambda s, x: s.part(s.part(x)), part=shared), 2, 3, 4, 4)
    assert [node.name for node in graph] == ["part.0", "part.1", "part.0#2", "part.1#2"]
    assert graph["part.0"].weights == graph["part.0#2"].weights
    assert graph.tensor_names() == ("part.0.weight", "part.0.bias")


def test_tied_parameters_share_the_first_name() -> None:
    a, b = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
    b.weight = a.weight
    graph = agrees(Forward(lambda s, x: s.b(s.a(x)), a=a, b=b), 2, 3, 4, 4)
    assert dict(graph["a"].weights) == {"weight": "a.weight", "bias": "a.bias"}
    assert dict(graph["b"].weights) == {"weight": "a.weight", "bias": "b.bias"}


def test_a_parameter_needed_in_two_shapes() -> None:
    def forward(s: Any, x: Tensor) -> Tensor:
        return x * s.gamma + x[:, :1] * s.gamma

    module = Forward(forward)
    module.gamma = nn.Parameter(torch.randn(3, 1, 1))
    graph, weights = capture(module, (2, 3, 4, 4))
    assert weights["gamma"].shape == (3,)
    assert weights["gamma#2"].shape == (3, 1, 1)
    assert np.array_equal(weights["gamma"], weights["gamma#2"].ravel())
    assert "gamma" in [node.name for node in graph], "a constant is called like its parameter"


def test_a_leaf_of_several_operations_and_a_clash_of_names() -> None:
    class Squeeze(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * torch.tanh(x.mean((2, 3), keepdim=True))

    net = Forward(lambda s, x: s.add(s.squeeze(x)) + x, squeeze=Squeeze(), add=nn.ReLU())
    names = [node.name for node in agrees(net, 2, 3, 4, 4)]
    assert names == ["squeeze.mean", "squeeze.tanh", "squeeze.multiply", "add", "add#2"]


def test_an_input_called_like_a_layer() -> None:
    net = Forward(lambda s, x: s.x(x))
    net.x = nn.ReLU()
    assert [node.name for node in agrees(net, 2, 3)] == ["x#2"]


def test_nothing_dead_is_captured() -> None:
    def forward(s: Any, x: Tensor) -> Tensor:
        s.unused(x)
        s.count += 1
        return x + 1

    net = Forward(forward, unused=nn.Conv2d(3, 3, 1))
    net.register_buffer("count", torch.zeros(1))
    graph, weights = capture(net, (2, 3, 4, 4))
    assert words(graph) == ["Constant", "Add"]
    assert list(weights) == ["constant.0"]
    assert float(net.count) == 0.0


def test_parametrised_weights_are_computed_once() -> None:
    net = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)))
    graph = agrees(net, 2, 3)
    assert words(graph) == ["Linear"]
    assert graph["0"].weights["bias"] == "0.bias"


def test_outputs_of_many_kinds() -> None:
    def forward(s: Any, x: Tensor) -> dict[str, Any]:
        return {"same": x, "aux": None, "out": x * 2, "twice": (x * 2, s.w)}

    net = Forward(forward)
    net.w = nn.Parameter(torch.ones(2))
    graph, _ = capture(net, (2, 3))
    assert graph.outputs == ("x", "multiply", "multiply#2", "w")


def test_a_matrix_that_is_multiplied_with_is_still_the_modules_parameter() -> None:
    net = Forward(lambda s, x: F.linear(x @ s.m, s.m))
    net.m = nn.Parameter(torch.randn(3, 3))
    graph = agrees(net, 2, 3)
    assert [dict(node.weights) for node in graph] == [{"weight": "m"}, {"weight": "m#2"}]
