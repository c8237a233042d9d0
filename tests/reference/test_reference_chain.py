"""The chain rule over whole graphs: sharing, tying, joins, second outputs, against PyTorch and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from striate import ops
from striate.capture import capture
from striate.errors import ArgumentError, ShapeError
from striate.graph.graph import Graph, Node
from striate.layers import BasicBlock, SqueezeExcite
from striate.models import create
from striate.reference import gradients, run

X = np.arange(32, dtype=float).reshape(2, 1, 4, 4)


def test_a_value_used_twice_receives_both() -> None:
    """y = x * x + x: dy/dx = 2x + 1, by three paths."""
    graph = Graph(
        {"x": ("N",)},
        (Node("square", ops.Multiply(), ("x", "x")), Node("y", ops.Add(), ("square", "x"))),
        ("y",),
    )
    x = np.array([3.0, -1.0])
    np.testing.assert_array_equal(gradients(graph, {}, x, np.ones(2)).inputs["x"], 2 * x + 1)


def test_tied_weights_add_up() -> None:
    """y = w (w x): dy/dw = 2 w x."""
    layer = ops.Linear(1, 1, bias=False)
    first, second = Node("h", layer, ("x",), {"weight": "w"}), Node("y", layer, ("h",), {"weight": "w"})
    graph = Graph({"x": ("N", 1)}, (first, second), ("y",))
    found = gradients(graph, {"w": np.array([[5.0]])}, np.array([[3.0]]), np.ones((1, 1)))
    assert found.weights["w"] == 2 * 5 * 3
    assert found.inputs["x"] == 25


def unpooled() -> Graph:
    nodes = (
        Node("pool", ops.MaxPool2d(2, return_indices=True), ("x",)),
        Node("unpool", ops.MaxUnpool2d(2), ("pool:0", "pool:1")),
    )
    return Graph({"x": ("N", 1, 4, 4)}, nodes, ("unpool",))


def test_indices_carry_no_gradient_but_show_the_way() -> None:
    kept: dict[str, np.ndarray] = {}
    dx = gradients(unpooled(), {}, X, np.ones_like(X), keep=kept).inputs["x"]
    winners = run(unpooled(), {}, np.ones_like(X) + X) > 0
    np.testing.assert_array_equal(dx, winners)
    assert set(kept) == {"x", "pool", "unpool"}


def test_a_branch_that_leads_nowhere_has_zero_gradients() -> None:
    nodes = (
        Node("used", ops.Negate(), ("x",)),
        Node("unused", ops.Linear(3, 2, bias=False), ("z",), {"weight": "w"}),
    )
    graph = Graph({"x": ("N", 3), "z": ("N", 3)}, nodes, ("used",))
    x = np.ones((1, 3))
    found = gradients(graph, {"w": np.ones((2, 3))}, {"x": x, "z": x}, x)
    np.testing.assert_array_equal(found.inputs["z"], np.zeros((1, 3)))
    np.testing.assert_array_equal(found.weights["w"], np.zeros((2, 3)))


def test_several_outputs_each_bring_their_gradient() -> None:
    nodes = (Node("a", ops.Negate(), ("x",)), Node("b", ops.Exponential(), ("a",)))
    graph = Graph({"x": ("N",)}, nodes, ("a", "b", "x"))
    x = np.array([0.0, 1.0])
    given = {"a": np.full(2, 10.0), "b": np.ones(2), "x": np.full(2, 100.0)}
    np.testing.assert_allclose(gradients(graph, {}, x, given).inputs["x"], 100 - 10 - np.exp(-x))


def randomised(module: torch.nn.Module) -> torch.nn.Module:
    """In float64, with weights and running statistics that are not those of a beginning."""
    generator = torch.Generator().manual_seed(0)
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            tensor.data = torch.rand(tensor.shape, generator=generator) * 0.5 + 0.05
    return module.eval().double()


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (lambda: create("lenet5"), (2, 1, 32, 32)),
        (lambda: create("striate_small", image_size=(12, 12)), (2, 1, 12, 12)),
        (lambda: BasicBlock(4, 6, stride=2), (2, 4, 8, 8)),
        (lambda: SqueezeExcite(4, 2), (2, 4, 5, 5)),
    ],
    ids=["lenet5", "striate_small", "BasicBlock", "SqueezeExcite"],
)
def test_a_network_has_autograds_gradients(module, shape) -> None:  # type: ignore[no-untyped-def]
    network = randomised(module())
    graph, weights = capture(network, shape)
    x = torch.rand(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    y = network(x)
    g = torch.linspace(-1, 1, y.numel(), dtype=torch.float64).reshape(y.shape)
    y.backward(g)
    found = gradients(graph, weights, x.detach().numpy(), g.numpy())
    (name,) = graph.inputs
    np.testing.assert_allclose(found.inputs[name], x.grad, rtol=1e-9, atol=1e-12)
    parameters = {name: p for name, p in network.named_parameters() if name in found.weights}
    assert len(parameters) == len(list(network.parameters()))
    for name, parameter in parameters.items():
        np.testing.assert_allclose(
            found.weights[name].reshape(parameter.shape), parameter.grad, rtol=1e-9, atol=1e-12
        )


def test_what_does_not_fit_is_refused() -> None:
    graph = unpooled()
    with pytest.raises(ShapeError, match=r"the gradient of unpool must have its shape \(2, 1, 4, 4\), got"):
        gradients(graph, {}, X, np.ones(2))
    with pytest.raises(ArgumentError, match=r"grad_outputs must be of \['unpool'\], got \['pool'\]"):
        gradients(graph, {}, X, {"pool": X})
    indices = Graph(graph.inputs, graph.nodes, ("pool:1",))
    with pytest.raises(ArgumentError, match=r"grad_outputs must be of \[\]"):
        gradients(indices, {}, X, {"pool:1": np.ones((2, 1, 2, 2))})
    with pytest.raises(ArgumentError, match=r"\['unpool', 'pool'\], got \['unpool'\]: pass one"):
        gradients(Graph(graph.inputs, graph.nodes, ("unpool", "pool")), {}, X, X)
